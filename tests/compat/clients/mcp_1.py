"""The official SDK 1.x: handshake, list, call, an error, an unknown tool. Prints what it saw."""

import asyncio
import json
import sys

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def main(url, key):
    http = httpx.AsyncClient(headers={"Authorization": f"Bearer {key}", "X-Call-Id": "compat"})
    async with (
        streamable_http_client(url, http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        begun = await session.initialize()
        tools = await session.list_tools()
        arguments = {
            "service": "Cleaning",
            "start": "tomorrow 10:00",
            "name": "Asha",
            "phone": "098765 43210",
        }
        booked = await session.call_tool("book", arguments)
        refused = await session.call_tool("find_times", {"service": "haircut"})
        try:
            await session.call_tool("sing", {})
            unknown = ""
        except Exception as error:
            unknown = str(error)
    print(
        json.dumps(
            {
                "revision": begun.protocolVersion,
                "tools": [tool.name for tool in tools.tools],
                "booked": booked.structuredContent,
                "refused": [refused.isError, refused.structuredContent["status"]],
                "unknown": unknown,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
