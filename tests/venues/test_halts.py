"""When Polymarket takes marketable orders again, by what its answers said."""

import httpx
import pytest

from arbsaga.venues.polymarket.halts import POST_ONLY_MS, RESTART_MS, STOPPED_MS, Halts

from .rig import terms, until

POST_ONLY = {"error": "post-only mode: only post-only orders and cancels are allowed", "code": "post_only_mode"}


class Clock:
    ms = 1_790_000_000_000

    def __call__(self):
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def halts(clock):
    return Halts(clock)


async def told(halts, status, body=None, path="/order", method="POST", headers=None):
    """A client with the hook gets this answer."""

    async def answer(_):
        content = {"json": body} if isinstance(body, dict | list) else {"text": body or ""}
        return httpx.Response(status, headers=headers, **content)

    hooks = {"response": [halts.heard]}
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), event_hooks=hooks) as http:
        await http.request(method, f"http://venue{path}")


@pytest.mark.parametrize(
    ("status", "body", "headers", "lasts_ms"),
    [
        (425, "", {"Retry-After": "7"}, 7_000 + POST_ONLY_MS),
        (425, {"error": "Service is not ready", "retry_after_seconds": 9}, {}, 9_000 + POST_ONLY_MS),
        (425, "", {}, RESTART_MS + POST_ONLY_MS),
        (425, "", {"Retry-After": "Fri, 20 Nov 2026 17:00:00 GMT"}, RESTART_MS + POST_ONLY_MS),
        (425, "", {"Retry-After": "999999999"}, RESTART_MS + 2 * POST_ONLY_MS),
        (503, POST_ONLY | {"retry_after_seconds": 79}, {}, 79_000),
        (503, POST_ONLY, {}, POST_ONLY_MS),
        (503, {"error": "trading is disabled"}, {}, STOPPED_MS),
        (503, {"error": "Trading is currently cancel-only. New orders are not accepted"}, {}, STOPPED_MS),
        (200, [{"success": True, "errorMsg": POST_ONLY["error"], "orderID": ""}], {}, POST_ONLY_MS),
    ],
)
async def test_said_until_it_has_passed(halts, clock, status, body, headers, lasts_ms):
    """The wait the answer names, or the documented one; a restart has its post-only window after it."""
    await told(halts, status, body, headers=headers)
    assert halts.barred().startswith("Polymarket ")
    clock.ms += lasts_ms - 1
    assert "1 s to go" in halts.barred()
    clock.ms += 1
    assert halts.barred() == ""


@pytest.mark.parametrize(
    ("status", "body", "path"),
    [
        (503, {"error": "upstream"}, "/order"),
        (503, "<html>", "/order"),
        (503, ["trading is disabled"], "/order"),
        (500, {"error": "trading is disabled"}, "/order"),
        (425, "", "/auth/ban-status/closed-only"),
        (400, {"error": "invalid signature"}, "/order"),
    ],
)
async def test_other_answers_say_nothing(halts, status, body, path):
    """A gateway's 503, a plain refusal, or an endpoint that takes no orders."""
    await told(halts, status, body, path)
    assert halts.barred() == ""


async def test_a_cancel_tells_too_and_an_order_that_is_taken_ends_it(halts):
    """Cancels work in a post-only window, so only an order that is taken shows that it is over."""
    await told(halts, 425, "", method="DELETE")
    await told(halts, 200, {"canceled": []}, method="DELETE")
    assert "restarts its engine" in halts.barred()
    await told(halts, 200, {"success": True})
    assert halts.barred() == ""


async def test_the_venue_says_it(rig):
    """Fault restart: nothing is known before the first order; then the venue's own wait counts down and ends."""
    venue = await rig.started()
    ((yes, _),) = await rig.instruments(venue, "1")
    assert await venue.barred([yes]) == ""
    rig.fault("restart,seconds=0,post_only_seconds=0.9,count=1")
    await venue.post([terms(yes, price="0.30"), terms(yes, price="0.31")])
    assert "post-only" in await venue.barred([yes])

    async def taken():
        return (await venue.post([terms(yes, price="0.30")]))[0].state == "live"

    await until(taken)
    assert await venue.barred([yes]) == ""
