"""Imported by the server of forks, before it forks anything."""

from proof.crashes.child import load

load()
