"""The checklist of platform behaviours, control plane: one test for each line."""

from __future__ import annotations

import httpx
import pytest

from .conftest import Workshop, wait_until
