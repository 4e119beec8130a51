"""The official SDK 2.x, in the mode that is named: `auto` asks `server/discover` and needs no
handshake; `legacy` begins with one. Prints what it saw."""

import asyncio
import json
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url, key, mode):
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}", "X-Call-Id": "compat"})
    async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        tools = await client.list_tools()
        arguments = {
            "service": "Cleaning",
            "start": "tomorrow 10:00",
            "name": "Asha",
            "phone": "098765 43210",
        }
        booked = await client.call_tool("book", arguments)
        refused = await client.call_tool("find_times", {"service": "haircut"})
        try:
            await client.call_tool("sing", {})
            unknown = ""
        except Exception as error:
            unknown = str(error)
        revision = client.session.protocol_version
    print(
        json.dumps(
            {
                "revision": revision,
                "tools": [tool.name for tool in tools.tools],
                "booked": booked.structured_content,
                "refused": [refused.is_error, refused.structured_content["status"]],
                "unknown": unknown,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
