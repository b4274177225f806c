// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
  name: "fdsupervisord",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // What C has and `import Glibc` does not show, libsystemd, and toml++ behind a C interface.
    .target(name: "CLinux", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
    .systemLibrary(
      name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .target(name: "CTOML"),

    // The wire between the daemon and a keeper; header only, so that the keeper links nothing.
    .target(name: "CKeeper"),

    // What the daemon and its command line share: the model, the operating system, ports, the protocol.
    .target(name: "Supervisor", dependencies: ["CLinux"], swiftSettings: strict),

    // The daemon: everything that decides, owns sockets, launches and sweeps.
    .target(
      name: "SupervisorDaemon",
      dependencies: ["Supervisor", "CLinux", "CSystemd", "CTOML", "CKeeper"],
      swiftSettings: strict),

    .executableTarget(
      name: "fdsupervisord", dependencies: ["SupervisorDaemon"], swiftSettings: strict),
    // The command line tool's call, sent before its runtime starts.
    .target(name: "CEarlyCall", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
    .executableTarget(
      name: "fdsupervisorctl",
      dependencies: [
        "Supervisor", "CEarlyCall", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict,
      // Statically linked: a command that people wait for starts in 1 ms, not in 4.
      linkerSettings: [.unsafeFlags(["-static-executable"], .when(configuration: .release))]),

    // No libc at all: a keeper costs a few private pages (docs/decisions/0002-keeper-without-libc.md).
    .executableTarget(
      name: "fdsupervisor-keeper",
      dependencies: ["CKeeper"],
      cSettings: [
        .unsafeFlags([
          "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector",
          "-fno-asynchronous-unwind-tables", "-fno-pic", "-fno-pie",
        ])
      ],
      linkerSettings: [
        .unsafeFlags([
          "-static-executable", "-nostartfiles", "-Xclang-linker", "-nostdlib",
          "-Xlinker", "--gc-sections",
        ])
      ]),

    // Accepts for programs that serve one connection each; C, because it forks.
    .executableTarget(
      name: "fdsupervisor-accept",
      cSettings: [.unsafeFlags(["-Os", "-Wall", "-Wextra", "-Werror"])],
      // Without the Swift runtime, of which it has no use.
      linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]),

    .testTarget(name: "SupervisorTests", dependencies: ["Supervisor"], swiftSettings: strict),
    // The integration tests drive the built programs, and a service that does what its arguments say.
    .testTarget(
      name: "SupervisorDaemonTests",
      dependencies: [
        "SupervisorDaemon", "Supervisor", "fdsupervisord", "fdsupervisorctl", "fdsupervisor-keeper",
        "fdsupervisor-accept", "misbehaving",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "misbehaving", path: "Tests/Fixtures/misbehaving",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      // Without the Swift runtime, which takes longer to load than everything the fixture does.
      linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]),
    .executableTarget(
      name: "loader", path: "Tests/Fixtures/loader",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.unsafeFlags(["-nostartfiles", "-static-stdlib"])]),
    // The built programs as an installation has them, under a real systemd.
    .testTarget(
      name: "SystemdTests",
      dependencies: [
        "Supervisor", "CLinux", "fdsupervisord", "fdsupervisorctl", "fdsupervisor-keeper", "misbehaving",
        "loader",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SimulationTests",
      dependencies: ["SupervisorDaemon", "Supervisor"],
      // Optimized: it runs 100,000 histories.
      swiftSettings: strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
  ],
  cxxLanguageStandard: .cxx17
)
