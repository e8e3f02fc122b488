"""Zoho: the only client, its token, budget, circuit breaker and retry, and what its webhooks look like."""
