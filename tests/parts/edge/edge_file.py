"""The configuration file of an edge that runs in a separate process."""

from pathlib import Path

from tests.parts.edge.edge_server import SECRET


def write_configuration(
    directory: Path,
    ports: tuple[int, int],
    bootstrap: str,
    prefix: str,
    *,
    deadline_seconds: int = 1,
) -> Path:
    """Write it with one endpoint `shop`; the ports are those for webhooks and management."""
    path = directory / "payrouter.toml"
    path.write_text(
        f"""
        [endpoints.shop]
        provider = "blockatm"
        secrets = ["{SECRET}"]
        deadline_seconds = {deadline_seconds}
        [edge]
        port = {ports[0]}
        management_port = {ports[1]}
        [kafka]
        bootstrap_servers = "{bootstrap}"
        [topics]
        prefix = "{prefix}"
        replication_factor = 1
        min_insync_replicas = 1
        """
    )
    return path
