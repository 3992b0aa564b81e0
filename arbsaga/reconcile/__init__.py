"""Reconciliation: one account at its venue against the ledger. The watchdog pages by it, the reconciler acts."""
