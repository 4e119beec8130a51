from __future__ import annotations

import asyncio

import pytest

from kaivox import errors


def row(number, updated_at="2026-03-02T04:30:00Z"):
    return {"id": number, "updated_at": updated_at}


def add_pages(server):
    server.add([row(1), row(2)], meta={"next_cursor": "c1"})
    server.add([row(3)], meta={"next_cursor": None})


class TestLists:
    def test_iteration_follows_the_cursor(self, kaivox, server):
        add_pages(server)
        assert [found.id for found in kaivox.customers.list(segment="vip")] == [1, 2, 3]
        assert server.query(0) == {"segment": "vip", "cursor": "", "per_page": "100"}
        assert server.query(1) == {"segment": "vip", "cursor": "c1", "per_page": "100"}

    def test_pages_are_requested_as_needed(self, kaivox, server):
        add_pages(server)
        rows = iter(kaivox.customers.list())
        assert server.requests == []
        next(rows)
        assert len(server.requests) == 1

    def test_one_page_has_the_total(self, kaivox, server):
        server.add([row(1)], meta={"next_cursor": "c1", "total": 41})
        page = kaivox.customers.list(page=2, per_page=10).page()
        assert (page.total, page.next_cursor, len(page)) == (41, "c1", 1)
        assert server.query() == {"page": "2", "per_page": "10"}

    def test_iteration_from_a_page_on(self, kaivox, server):
        add_pages(server)
        assert len(list(kaivox.customers.list(page=3, per_page=2))) == 3
        assert server.query(1) == {"cursor": "c1", "per_page": "2"}

    def test_first(self, kaivox, server):
        server.add([], meta={"next_cursor": None})
        assert kaivox.customers.list(segment="vip").first() is None
        assert server.query() == {"segment": "vip", "cursor": "", "per_page": "1"}

    def test_a_whole_list_has_its_facts(self, kaivox, server):
        slot = {"start_time": "2026-03-02T04:30:00Z", "time": "10:00"}
        meta = {
            "timezone": "Asia/Kolkata",
            "next_available": slot,
            "reasons": {"2026-03-01": "closed"},
        }
        server.add([], meta=meta)
        slots = kaivox.slots.list(service_id=12)
        assert (list(slots), slots.meta.timezone) == ([], "Asia/Kolkata")
        assert slots.meta.next_available.time == "10:00"
        assert slots.meta.reasons == {"2026-03-01": "closed"}


class TestSync:
    def test_reads_changes_and_says_where_it_got_to(self, kaivox, server):
        server.add([row(1, "2026-03-02T04:30:00Z")], meta={"next_cursor": "c1"})
        server.add([row(2, "2026-03-02T05:00:00Z")], meta={"next_cursor": None})
        changes = kaivox.customers.sync("2026-03-01T05:30:00+05:30", segment="vip")
        assert [found.id for found in changes] == [1, 2]
        assert changes.updated_since == "2026-03-02T05:00:00Z"
        assert server.query(0) == {
            "segment": "vip",
            "updated_since": "2026-02-28T23:59:58Z",  # two seconds are repeated
            "ordering": "updated_at",
            "cursor": "",
            "per_page": "100",
        }

    def test_of_nothing_stays_where_it_was(self, kaivox, server):
        server.add([], meta={"next_cursor": None})
        changes = kaivox.customers.sync("2026-03-01T00:00:00Z")
        assert list(changes) == []
        assert changes.updated_since == "2026-03-01T00:00:00Z"

    def test_reads_everything_the_first_time(self, kaivox, server):
        server.add([row(1)], meta={"next_cursor": None})
        assert len(list(kaivox.customers.sync())) == 1
        assert server.query()["updated_since"] == "1970-01-01T00:00:00Z"


def event(number):
    return {
        "id": f"evt_{number}",
        "type": "customer.created",
        "created_at": "2026-03-02T04:30:00Z",
        "data": row(number),
    }


class TestFollow:
    def test_starts_at_the_end_and_resumes_at_a_cursor(self, kaivox, server):
        server.add([event(1)], meta={"next_cursor": "x", "resume_cursor": None})
        server.add([event(1)], meta={"next_cursor": None, "resume_cursor": "r1"})
        server.add([], meta={"next_cursor": None, "resume_cursor": "r1"})
        server.add([event(2), event(3)], meta={"next_cursor": None, "resume_cursor": "r3"})
        followed = kaivox.events.follow(type=["customer.created"])
        found = [next(followed) for _ in range(2)]
        assert [(one.id, cursor) for one, cursor in found] == [("evt_2", "r1"), ("evt_3", "r3")]
        assert found[0][0].data.id == 2
        assert server.query(3) == {
            "type": "customer.created", "cursor": "r1", "wait": "20", "per_page": "100",
        }  # fmt: skip
        assert server.requests[3].extensions["timeout"]["read"] > 20

    def test_of_a_business_without_events(self, kaivox, server):
        server.add([], meta={"next_cursor": None, "resume_cursor": None})
        server.add([event(1)], meta={"next_cursor": None, "resume_cursor": "r1"})
        assert next(kaivox.events.follow())[1] == "r1"


class TestAsync:
    def test_does_the_same(self, async_kaivox, server):
        add_pages(server)
        server.add([row(9, "2026-03-02T05:00:00Z")], meta={"next_cursor": None})
        server.add([row(1)], meta={"next_cursor": None, "total": 1})
        server.add_error(503, "service_unavailable", Retry_After="3")
        server.add(row(7), 201)
        server.add_error(404, "not_found")
        server.add([], meta={"next_cursor": None, "resume_cursor": None})
        server.add([event(1)], meta={"next_cursor": None, "resume_cursor": "r1"})

        async def use():
            async with async_kaivox() as kaivox:
                assert [found.id async for found in kaivox.customers.list()] == [1, 2, 3]
                changes = kaivox.customers.sync("2026-03-01T00:00:00Z")
                assert [found.id async for found in changes] == [9]
                assert changes.updated_since == "2026-03-02T05:00:00Z"
                assert (await kaivox.customers.list().page()).total == 1
                made = await kaivox.customers.create(name="Asha", phone="+91 98765 43210")
                assert made.id == 7
                with pytest.raises(errors.NotFound):
                    await kaivox.customers.get(8)
                async for found, cursor in kaivox.events.follow():
                    assert (found.id, cursor) == ("evt_1", "r1")
                    break

        asyncio.run(use())
        assert server.pauses == [3.0]
        keys = [r.headers["Idempotency-Key"] for r in server.requests if r.method == "POST"]
        assert len(set(keys)) == 1
