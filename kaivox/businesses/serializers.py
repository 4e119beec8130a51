"""The caller's own business, as `GET /business` shows it."""

from __future__ import annotations

from rest_framework import serializers

from kaivox.api.fields import InstantField
from kaivox.api.serializers import ReadSerializer
from kaivox.businesses.models import Plan


class QuotaSerializer(ReadSerializer):
    """How many requests the plan, or an agreement, allows."""

    per_minute = serializers.IntegerField(help_text="In any 60 seconds.")
    per_day = serializers.IntegerField(help_text="In a UTC day.")


class WindowUsageSerializer(ReadSerializer):
    """One window of the quota, as it stands."""

    used = serializers.IntegerField()
    remaining = serializers.IntegerField()
    reset = serializers.IntegerField(help_text="Unix seconds: when the next unit comes back.")


class UsageSerializer(ReadSerializer):
    minute = WindowUsageSerializer()
    day = WindowUsageSerializer()


class CallingKeySerializer(ReadSerializer):
    """The key that this call was made with; its secret is not kept."""

    name = serializers.CharField()
    prefix = serializers.CharField()
    last_four = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = InstantField(allow_null=True)


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
    """The answer of `GET /business`: the business, its quota and the key. Documentation of what
    `views.BusinessView` puts together."""

    quota = QuotaSerializer()
    usage = UsageSerializer()
    api_key = CallingKeySerializer(allow_null=True, help_text="Null for a browser session.")
