"""The caller's own business, as `GET /business` shows it."""

from __future__ import annotations

from rest_framework import serializers

from kaivox.api.fields import UtcDateTimeField
from kaivox.api.serializers import ReadSerializer
from kaivox.businesses.models import Plan


class QuotaSerializer(ReadSerializer):
    """How many requests the plan, or a quota override, allows."""

    per_minute = serializers.IntegerField(help_text="In any 60 seconds.")
    per_day = serializers.IntegerField(help_text="In a UTC day.")


class WindowUsageSerializer(ReadSerializer):
    """Current usage of one window of the quota."""

    used = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset = serializers.IntegerField(help_text="Unix seconds: when the next unit comes back.")


class UsageSerializer(ReadSerializer):
    minute = WindowUsageSerializer()
    day = WindowUsageSerializer()


class CallingKeySerializer(ReadSerializer):
    """The key of this request. Its secret is not stored."""

    name = serializers.CharField()
    prefix = serializers.CharField()
    last_four = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = UtcDateTimeField(allow_null=True)


class BusinessSerializer(ReadSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    slug = serializers.CharField()
    timezone = serializers.CharField(help_text="IANA name.")
    country = serializers.CharField()
    currency = serializers.CharField()
    livemode = serializers.BooleanField(help_text="False: a sandbox.")
    plan = serializers.ChoiceField(choices=Plan.choices)


class CallerSerializer(BusinessSerializer):
    """The response of `GET /business`: the business, its quota and the key. It documents what
    `views.BusinessView` assembles."""

    quota = QuotaSerializer()
    usage = UsageSerializer()
    api_key = CallingKeySerializer(allow_null=True, help_text="Null for a browser session.")
