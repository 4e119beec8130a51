"""Prints what changed, with asyncio: appointments and customers at once."""

import asyncio

from kaivox import AsyncKaiVox


async def main() -> None:
    async with AsyncKaiVox() as kaivox:

        async def appointments() -> str:
            changes = kaivox.appointments.sync()
            async for appointment in changes:
                print(appointment.id, appointment.start_time, appointment.status)
            return changes.updated_since

        async def customers() -> str:
            changes = kaivox.customers.sync()
            async for customer in changes:
                print(customer.id, customer.name)
            return changes.updated_since

        print(await asyncio.gather(appointments(), customers()))


asyncio.run(main())
