"""fastmcp's client, with its bearer authentication. Prints what it saw."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main(url, key):
    transport = StreamableHttpTransport(url, headers={"X-Call-Id": "compat"}, auth=key)
    async with Client(transport) as client:
        tools = await client.list_tools()
        arguments = {
            "service": "Cleaning",
            "start": "tomorrow 10:00",
            "name": "Asha",
            "phone": "098765 43210",
        }
        booked = await client.call_tool("book", arguments)
        refused = await client.call_tool("find_times", {"service": "haircut"}, raise_on_error=False)
        try:
            await client.call_tool("sing", {})
            unknown = ""
        except Exception as error:
            unknown = str(error)
    print(
        json.dumps(
            {
                "tools": [tool.name for tool in tools],
                "booked": booked.structured_content,
                "refused": [refused.is_error, refused.structured_content["status"]],
                "unknown": unknown,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
