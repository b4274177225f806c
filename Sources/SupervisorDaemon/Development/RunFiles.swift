// What `run` reads before it starts: the folder, its Procfile or configuration, its .env.

import Glibc
import Supervisor

/// Reads what a run is made of.
struct RunFiles {
  let arguments: RunArguments
  let place: RunConfiguration.Surroundings
  let sources = ConfigurationSources()

  static let configurationName = "fdsupervisord.toml"
  static let procfileName = "Procfile"
  static let environmentName = ".env"

  /// The file that says what to run, absolute; nil for a command.
  private(set) var file: String?

  init(_ arguments: RunArguments, _ place: RunConfiguration.Surroundings) {
    self.arguments = arguments
    self.place = place
  }

  /// The whole configuration; diagnostics for people on failure.
  mutating func read() -> Result<RunConfiguration, Failure> {
    if !arguments.command.isEmpty {
      return environment(required: arguments.environmentFile).map {
        RunConfiguration.of(command: arguments.command, arguments, environment: $0, place)
      }
    }
    if let path = arguments.configuration ?? found(Self.configurationName, unless: arguments.procfile) {
      return load(path)
    }
    if let path = arguments.procfile ?? found(Self.procfileName) { return readProcfile(path) }
    return .failure(
      Failure(
        lines: [
          "fdsupervisord: there is nothing to run: no command behind --, and neither \(Self.configurationName) nor "
            + "\(Self.procfileName) in \(place.folder); see fdsupervisord run --help"
        ], status: 64))
  }

  struct Failure: Error {
    var lines: [String]
    var status: Int32
  }

  private func found(_ name: String, unless other: String? = nil) -> String? {
    other == nil && access(name, F_OK) == 0 ? name : nil
  }

  private mutating func load(_ path: String) -> Result<RunConfiguration, Failure> {
    file = sources.absolute(path)
    switch ConfigurationLoader.load(path, from: sources) {
    case .failure(let diagnostics):
      return .failure(Failure(lines: diagnostics.map(\.description), status: 78))
    case .success(let loaded, let warnings):
      return RunConfiguration.of(loaded: loaded, arguments, place)
        .mapError { Failure(lines: ["fdsupervisord: \($0.description)"], status: 64) }
        .map { result in
          var result = result
          result.remarks = warnings.map(\.description) + result.remarks
          return result
        }
    }
  }

  private mutating func readProcfile(_ path: String) -> Result<RunConfiguration, Failure> {
    file = sources.absolute(path)
    let isThere = access(Self.environmentName, F_OK) == 0
    return environment(required: arguments.environmentFile ?? (isThere ? Self.environmentName : nil))
      .flatMap { environment in
        read(path).flatMap { text in
          Procfile.parse(text.text, path: path).mapError { Failure(lines: [$0.description], status: 78) }
        }.flatMap { processes in
          RunConfiguration.of(
            processes: processes.map { ($0.name, $0.command) }, arguments, environment: environment, place
          ).mapError { Failure(lines: ["fdsupervisord: \($0.description)"], status: 64) }
        }
      }
  }

  private func environment(required path: String?) -> Result<[EnvironmentEntry], Failure> {
    guard let path else { return .success([]) }
    return read(path).flatMap { file in
      let diagnostics = Diagnostics()
      let entries = EnvironmentFile.entries(of: file, diagnostics).map(\.value)
      if diagnostics.hasErrors {
        return .failure(Failure(lines: diagnostics.sorted.map(\.description), status: 78))
      }
      return .success(entries)
    }
  }

  private func read(_ path: String) -> Result<SourceFile, Failure> {
    guard let bytes = contents(ofSmallFile: path, limit: Self.longestFile) else {
      let error = SystemError("read", path)
      return .failure(Failure(lines: ["fdsupervisord: \(error)"], status: 78))
    }
    return .success(
      SourceFile(path: path, folder: place.folder, order: 0, text: String(decoding: bytes, as: UTF8.self)))
  }

  /// Bytes.
  private static let longestFile = 1 << 20
}
