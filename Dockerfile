# The same `make setup` as on a bare machine, in an image.
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN make setup
ENTRYPOINT [".venv/bin/arbsaga"]
CMD ["up", "--data-dir", "/data"]
