"""Authentication, throttles and pagination of the plain stack."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from kaivox.businesses.models import ApiKey


class KeyInTheDatabase(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        secret = request.headers.get("X-API-Key", "")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        try:
            key = ApiKey.objects.select_related("business").get(digest=digest, revoked_at=None)
        except ApiKey.DoesNotExist:
            raise AuthenticationFailed from None
        return User(), key


class BusinessThrottle(SimpleRateThrottle):
    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"{self.scope}:{request.auth.business_id}"


class MinuteThrottle(BusinessThrottle):
    scope = "minute"


class DayThrottle(BusinessThrottle):
    scope = "day"


class Pages(PageNumberPagination):
    page_size = 20
    max_page_size = 100
    page_size_query_param = "per_page"
