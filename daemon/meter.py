"""Between the daemon and its metrics: nothing happens here where none were asked for."""

from digitd.daemon.config import DaemonConfig
from digitd.daemon.events import Body
from digitd.daemon.listener import Network
from digitd.daemon.outlets import Outlets
from digitd.daemon.studio import Studio


class Meter:
    """Counts for Prometheus what the stream's thread tells, if `metrics.listen` names a place to scrape.

    Raises:
        ConfigError: the client library is not installed.
        SinkError: the place cannot be had.
    """

    def __init__(self, config: DaemonConfig, network: Network, studio: Studio) -> None:
        self._metrics = self._server = None
        self._session = network.session
        self._runs, self._run_s = self._session.runs, self._session.run_s
        if not config.metrics.listen:
            return
        from digitd.daemon.metrics import Metrics
        from digitd.daemon.metrics_server import MetricsServer

        self._metrics = Metrics(config.secret)
        self._metrics.depth("source_waiting_seconds", lambda: studio.waiting_s)
        self._metrics.depth("streams", lambda: len(studio.streams))
        self._server = MetricsServer(config.metrics, self._metrics)

    def watch(self, outlets: Outlets) -> None:
        """Show how much waits in the sinks, also in those that come later."""
        if self._metrics is None:
            return
        depth = self._metrics.depth
        depth("socket_readers", lambda: sum(sink.backlog.readers for sink in outlets.sinks))
        depth("socket_waiting_bytes", lambda: sum(sink.backlog.waiting_bytes for sink in outlets.sinks), of_events=True)
        depth("queued_events", lambda: sum(sink.backlog.waiting_events for sink in outlets.sinks), of_events=True)

    def take_in(self, seconds: float) -> None:
        """Audio has been taken in, and the network has run for it."""
        if self._metrics is None:
            return
        self._metrics.take_in(seconds)
        self._metrics.infer(self._session.runs - self._runs, self._session.run_s - self._run_s)
        self._runs, self._run_s = self._session.runs, self._session.run_s

    def hear(self, body: Body, in_process_s: float) -> None:
        """A body was published, so long after its audio had come."""
        if self._metrics is not None:
            self._metrics.hear(body, in_process_s)

    def drop(self, what: str, count: int) -> None:
        """Readers or events were dropped."""
        if self._metrics is not None:
            self._metrics.drop(what, count)

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()
