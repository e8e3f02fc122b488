"""The status page: what people see of the mirror in a browser, and the few things that they may do there."""
