"""The use cases: process, poll, walk, drain."""
