// The text of org.fdsupervisord.Control in Varlink's own language, for foreign clients. It says what the types of
// Interface.swift say; a test compares the two member by member.

extension ControlError {
  /// The name on the wire.
  package var wireName: String { "\(ControlMethod.interface).\(rawValue)" }
}

extension ControlMethod {
  package static let interfaceDescription = """
    # Keeps services running, owns their listening sockets, and proves that a port is free before a relaunch.
    #
    # Every `names` takes names and patterns (*, ?, [...]); `all` means every service, and `names` is empty then.
    # With `more`, Start, Stop, Restart, Reload, Signal, Wait, Free and ReloadConfig stream `progress` before the reply.
    interface org.fdsupervisord.Control

    \(types)

    \(reportTypes)

    # How the services are. Without names and without `all`: every service.
    method Status(names: []string, all: ?bool) -> (services: []ServiceStatus)

    # Returns when the services are ready.
    method Start(names: []string, all: ?bool) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # Returns when nothing of the services is left. The listeners stay open unless `close` says otherwise.
    method Stop(names: []string, all: ?bool, close: ?bool) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # Stops, sweeps, verifies, launches; returns when the new generation is ready.
    method Restart(names: []string, all: ?bool) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # Sends the service its reload_signal.
    method Reload(names: []string, all: ?bool) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # Sends the main process a signal: a name (SIGUSR1, USR1) or a number.
    method Signal(names: []string, all: ?bool, signal: string) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # Returns when all are running; timeout in milliseconds.
    method Wait(names: []string, all: ?bool, timeout: ?int) -> (outcomes: ?[]Outcome, progress: ?Progress)

    # The last lines of a service; with `follow` and `more` also those that come.
    method Logs(name: string, lines: ?int, follow: ?bool) -> (lines: []string)

    # The last lines of the console of `fdsupervisord run`; with `more` also those that come, until the run ends.
    method Attach(lines: ?int, colours: ?bool) -> (lines: []string)

    # The sockets that the daemon owns.
    method Sockets() -> (sockets: []SocketStatus)

    # Who holds an address, or the socket of that name: listeners only, never clients.
    method Holders(address: string) -> (address: string, holders: []Holder, remarks: []string)

    # Ends the holders of an address, or only those of `pids`; `holders` are those that are left.
    method Free(address: string, pids: ?[]int) -> (
      address: ?string,
      holders: ?[]Holder,
      remarks: ?[]string,
      progress: ?Progress
    )

    # The processes of a service, as a tree.
    method Tree(names: []string, all: ?bool) -> (trees: []ServiceTree)

    # What holds on this machine, tried.
    method Doctor() -> (findings: []Finding)

    # Reads the configuration again: tells what is different, and applies it unless `dry_run` says otherwise.
    # A configuration that is wrong changes nothing: `ok` is false, and `diagnostics` say where.
    method ReloadConfig(dry_run: ?bool) -> (
      ok: ?bool,
      message: ?string,
      changes: ?[]Change,
      outcomes: ?[]Outcome,
      remarks: ?[]string,
      diagnostics: ?[]Diagnostic,
      progress: ?Progress
    )

    # Lets the program that lies where the daemon's own lay take its place, in the same process: listeners, services
    # and connections stay. It answers the call; times in milliseconds, `pause_ms`: nobody was served.
    method Reexec() -> (from: string, to: string, pid: int, services: int, milliseconds: float, pause_ms: float)

    # Stops the services in order, and ends the daemon.
    method Shutdown() -> ()

    # A name or pattern matches no service.
    error NoSuchService (message: string)

    # What was asked for was tried, and failed.
    error Failed (message: string)

    # The caller may not do this.
    error PermissionDenied (message: string)

    # A parameter has the right type, but no meaning.
    error InvalidArgument (message: string)

    """

  private static let types = """
    type ServiceStatus (
      name: string,
      state: (stopped, starting, running, stopping, backoff, blocked, failed),
      pid: ?int,
      generation: int,
      restarts: int,
      # Seconds since 1970.
      since: float,
      sockets: []string,
      ports: []string,
      last_exit: ?LastExit,
      message: ?string,
      last_lines: ?[]string,
      retry_in_ms: ?int,
      report: ?Report,
      # In bytes, milliseconds and processes; only with a delegated cgroup.
      memory: ?int,
      cpu_ms: ?int,
      tasks: ?int,
      # Earlier ones of whom somebody lives on, by the configuration.
      retained: ?[]RetainedGeneration
    )

    type RetainedGeneration (generation: int, keeper: int, strays: []Stray)

    type LastExit (pid: int, status: ?int, signal: ?string, text: string)

    type Outcome (service: string, ok: bool, message: string, report: ?Report, last_lines: ?[]string)

    type Progress (service: string, message: string)

    type SocketStatus (
      name: string,
      address: string,
      inode: int,
      queued: ?int,
      limit: ?int,
      origin: string,
      services: []string,
      holders: []Holder
    )

    type Holder (
      pid: int,
      fd: int,
      command: string,
      user: string,
      unit: string,
      # The controlling terminal, as "pts/3".
      terminal: ?string,
      # Seconds since it was started.
      age: float,
      address: string,
      inode: int,
      service: ?string,
      generation: ?int
    )

    type ServiceTree (service: string, generation: int, keeper: ?int, processes: []TreeProcess, retained: ?bool)

    type TreeProcess (
      pid: int,
      parent: int,
      depth: int,
      command: string,
      state: string,
      user: string,
      age: float,
      holds: []string,
      leaks: ?bool
    )

    type Finding (name: string, ok: bool, message: string)

    type Change (
      kind: (daemon, socket, service),
      name: string,
      change: (added, removed, changed),
      keys: []string,
      action: (apply, start, relaunch, stop, open, open_anew, close, rename, next_start, none)
    )

    # Line and column count from 1; 0 is the file as a whole.
    type Diagnostic (file: string, line: int, column: int, severity: (error, warning), message: string)
    """

  private static let reportTypes = """
    # What a relaunch found and did; times in milliseconds.
    type Report (
      service: string,
      generation: int,
      pid: ?int,
      milliseconds: float,
      steps: Steps,
      stopped: ?StoppedProcess,
      strays: []Stray,
      verified: []VerifiedAddress,
      queued: ?int,
      repaired: []string
    )

    type Steps (stop: ?float, sweep: ?float, verify: ?float, launch: ?float, ready: ?float)

    type StoppedProcess (pid: int, command: string, signals: []string, outcome: string, milliseconds: float)

    type Stray (
      pid: int,
      command: string,
      held: []string,
      remark: string,
      signals: []string,
      milliseconds: ?float,
      # Lives on, by the configuration; and the ports that were taken from it.
      fate: ?(released, reported),
      taken: ?[]string
    )

    type VerifiedAddress (address: string, kind: (owned, guarded), finding: string)
    """
}
