from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.db import connection

from calls.models import Call
from tests.factories import make_call

migration = import_module("calls.migrations.0006_words_of_every_script")


class TestWordsOfEveryScript:
    def test_stores_words_in_the_present_form(self, business):
        hindi = make_call(business, transcript=[("caller", "मुझे काम है")])
        english = make_call(business, transcript=[("caller", "A cleaning")])
        Call.objects.filter(pk=hindi.pk).update(words=" म झ क म ह")
        Call.objects.filter(pk=english.pk).update(words=" a cleaning")
        migration.renew_words(apps, connection)
        found = dict(Call.objects.values_list("pk", "words"))
        assert found == {hindi.pk: hindi.words, english.pk: english.words}
