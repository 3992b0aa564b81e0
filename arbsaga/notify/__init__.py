"""Telling a person: an append-only alert log, the console, and any service that apprise knows."""

from arbsaga.notify.alert_log import Alert, read_alerts
from arbsaga.notify.pager import Pager

__all__ = ["Alert", "Pager", "read_alerts"]
