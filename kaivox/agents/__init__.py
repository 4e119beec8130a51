"""Tools for AI agents: one definition each, served through MCP and as in-call webhook tools."""
