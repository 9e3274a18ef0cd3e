"""The HTTP API under /api/v1. Thin: every route calls the application layer."""

from .application import build_api

__all__ = ["build_api"]
