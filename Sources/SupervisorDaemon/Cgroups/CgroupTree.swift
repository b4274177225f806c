// The cgroups below the daemon's unit: a leaf for the daemon and its keepers, a folder for each service, and in it
// one for each generation. Limits are those of the service's folder.

import CLinux
import Glibc
import Supervisor

/// What was delegated to this daemon, if anything was.
package final class CgroupTree {
  /// Why there is none: a clause for people; nil when there is one.
  package let absence: String?
  /// Whether somebody delegated a cgroup, be it of use or not.
  package let isOffered: Bool
  private let unit: ControlGroup?
  /// Held as long as this daemon lives: two in one cgroup would take each other's services for left behind.
  private let lock: FileDescriptor?
  private var services: [String: ServiceGroup] = [:]
  /// Of generations that are gone, but for somebody who had not quite died: removed with the next occasion.
  private var lingering: [ControlGroup] = []
  private var enabled: Set<String> = []

  /// Our mark on the folders of services: others may have folders in a cgroup that was delegated to a shell.
  static let mark = "user.fdsupervisord"

  /// Moves this process into the leaf, so that the unit's own cgroup is empty and controllers can be turned on in it
  /// (cgroups(7), "no internal processes").
  package init(_ delegation: Delegation) {
    guard case .unit(let unit, let place) = delegation else {
      if case .none(let reason) = delegation { absence = reason } else { absence = nil }
      isOffered = false
      self.unit = nil
      lock = nil
      return
    }
    isOffered = true
    do throws(SystemError) {
      lock = try Self.enter(unit, from: place)
      self.unit = unit
      absence = nil
    } catch {
      absence = error.description
      self.unit = nil
      lock = nil
      return
    }
    // For `status`; where it is missing nothing else is.
    _ = enable("memory")
  }

  /// Into the leaf, beside nobody who does the same.
  private static func enter(_ unit: ControlGroup, from place: Delegation.Place) throws(SystemError)
    -> FileDescriptor
  {
    let folder = try unit.open()
    if cl_lock(folder.number) == -1 { throw SystemError("manage", "\(unit.path): another daemon does") }
    let leaf = unit.child(CgroupPlace.leaf)
    try leaf.make()
    if place == .unit { try leaf.write("0", to: "cgroup.procs") }
    return folder
  }

  package var isDelegated: Bool { unit != nil }

  /// What `doctor` and the log say of it: one line.
  package var description: String {
    guard let unit else {
      return
        "cgroups are not used: \(absence ?? ""); the sweep does without; \(Delegation.remedy) to have limits"
    }
    let controllers = available.isEmpty ? "none" : available.joined(separator: ", ")
    return "each generation has a cgroup of its own below \(unit.path); controllers: \(controllers)"
  }

  private var available: [String] {
    (unit?.read("cgroup.controllers") ?? "").split { $0 == " " || $0 == "\n" }.map(String.init)
  }

  /// Why a controller can't be turned on.
  private enum Want { case missing, refused(SystemError) }

  /// Turns a controller on for the services; nil when it is on.
  private func enable(_ controller: String) -> Want? {
    if enabled.contains(controller) { return nil }
    guard let unit, available.contains(controller) else { return .missing }
    do throws(SystemError) { try unit.write("+\(controller)", to: "cgroup.subtree_control") } catch {
      return .refused(error)
    }
    enabled.insert(controller)
    return nil
  }

  /// The limits that have no effect, and why: one line; nil when all have.
  ///
  /// Turns on the controllers that they need.
  package func unmet(_ resources: ResourceDefinition) -> String? {
    var texts: [String] = []
    var missing: [String] = []
    var refusals: [String] = []
    for setting in ResourceSetting.all(of: resources) where !texts.contains(setting.text) {
      switch enable(setting.controller) {
      case nil: continue
      case .missing: missing.append(setting.controller)
      case .refused(let error): refusals.append(error.description)
      }
      texts.append(setting.text)
    }
    if texts.isEmpty { return nil }
    return "without effect: limits \(texts.joined(separator: ", ")): " + reason(missing, refusals)
  }

  private func reason(_ missing: [String], _ refusals: [String]) -> String {
    guard let unit else { return "\(absence ?? ""); \(Delegation.remedy)" }
    if !refusals.isEmpty {
      return refusals.joined(separator: "; ")
        + "; start the daemon as a unit of its own, where nobody else is"
    }
    return "\(missing.joined(separator: ", ")) not in \(unit.path)/cgroup.controllers; "
      + "Delegate= has to be \"yes\" or to name them, and cgroup v2 has to have them"
  }

  /// The cgroup of a launch; nil when nothing was delegated.
  package func make(
    service name: String, generation: Int, resources: ResourceDefinition
  ) throws(SystemError) -> GenerationGroup? {
    guard let unit else { return nil }
    let service: ServiceGroup
    if let known = services[name] {
      service = known
    } else {
      service = try ServiceGroup(unit.child(CgroupPlace.folder(ofService: name)), markedAs: Self.mark)
    }
    services[name] = service
    removeLingering()
    try service.apply(resources, where: { enabled.contains($0.controller) })
    return try GenerationGroup(generation, of: service)
  }

  /// Removes the folder of a service that has come to rest; one that is in use stays.
  package func release(service name: String) {
    removeLingering()
    if let service = services.removeValue(forKey: name) { _ = service.group.remove() }
  }

  /// Removes the cgroup of a generation; one whose last process is dying is removed later.
  package func remove(_ generation: GenerationGroup) -> ControlGroup.Removal {
    let removal = generation.group.remove()
    if removal == .lingering { lingering.append(generation.group) }
    return removal
  }

  private func removeLingering() {
    if !lingering.isEmpty { lingering.removeAll { $0.remove() == .removed } }
  }

  /// The daemon, its keepers, and whatever else it started for itself.
  package var leafMembers: [Int32] { unit?.child(CgroupPlace.leaf).members ?? [] }

  /// The generations that a former daemon left in the tree.
  package var abandoned: [AbandonedGeneration] {
    guard let unit else { return [] }
    let folders = unit.children.filter {
      $0 != CgroupPlace.leaf && unit.child($0).attribute(Self.mark) != nil
    }
    return folders.flatMap { folder in
      unit.child(folder).children.map {
        AbandonedGeneration(
          service: CgroupPlace.service(ofFolder: folder), generation: Int($0),
          group: unit.child(folder).child($0))
      }
    }
  }

  /// Removes the folders of services that nobody is in.
  package func removeEmpty() {
    guard let unit else { return }
    for folder in unit.children where services[CgroupPlace.service(ofFolder: folder)] == nil {
      let group = unit.child(folder)
      if folder != CgroupPlace.leaf, group.attribute(Self.mark) != nil { rmdir(group.path) }
    }
  }
}

/// A cgroup of a generation that this daemon did not make.
package struct AbandonedGeneration: Hashable, Sendable {
  package var service: String
  /// nil when its name is no number.
  package var generation: Int?
  package var group: ControlGroup
}
