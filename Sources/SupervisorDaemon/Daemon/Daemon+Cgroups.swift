// Cgroups of generations, where some were delegated: a second witness beside the keeper, and a quicker end.

import Glibc
import Supervisor

extension Daemon {
  /// Makes the cgroup of a launch; nil where there are none, which is told once.
  func makeCgroup(of service: Int, generation: Int) -> GenerationGroup? {
    let definition = runtimes[service].definition
    var remark = cgroups.unmet(definition.resources)
    do throws(SystemError) {
      runtimes[service].cgroup = try cgroups.make(
        service: definition.name, generation: generation, resources: definition.resources)
    } catch {
      runtimes[service].cgroup = nil
      remark = "its processes get no cgroup of their own: \(error)"
    }
    runtimes[service].cgroupKill = .notTried
    tellOnce(remark, about: service)
    return runtimes[service].cgroup
  }

  /// Takes over the cgroup of a generation that was launched by the daemon before this one, with its limits.
  func adoptCgroup(of service: Int, generation: Int) {
    makeCgroup(of: service, generation: generation)?.withDescriptor { _ in }
  }

  /// The same for one that is over, and of whom somebody lives on.
  func adoptCgroup(ofRetained generation: Int, of service: Int) -> GenerationGroup? {
    let runtime = runtimes[service]
    let current = runtime.cgroup.take()
    defer { runtime.cgroup = current }
    adoptCgroup(of: service, generation: generation)
    return runtime.cgroup.take()
  }

  /// The main process runs beside the daemon instead, where neither kill nor limit of its cgroup reach it.
  func noteCgroupRefusal(_ code: Int32, of service: Int) {
    tellOnce(
      "its processes are not in a cgroup of their own: clone3: \(SystemError.text(code))", about: service)
    _ = leaveCgroup(of: service)
  }

  private func tellOnce(_ remark: String?, about service: Int) {
    let runtime = runtimes[service]
    guard remark != runtime.cgroupRemark else { return }
    runtime.cgroupRemark = remark
    if let remark { log.log(.warning, service: runtime.definition.name, remark) }
  }

  enum CgroupState { case gone, populated }

  /// Removes the cgroup of a generation whose tree is empty, as the keeper says.
  ///
  /// That the kernel lets it go is the second witness of that.
  func leaveCgroup(of service: Int) -> CgroupState {
    let runtime = runtimes[service]
    guard let cgroup = runtime.cgroup else { return .gone }
    switch cgroups.remove(cgroup) {
    case .populated: return .populated
    case .removed, .lingering: break
    case .failed(let error): log.log(.warning, service: runtime.definition.name, "\(error)")
    }
    runtime.cgroup = nil
    return .gone
  }

  /// Somebody is in the cgroup of a generation, but was not below its keeper: he is swept as if he had been.
  func sweepRemnant(of service: Int) {
    runtimes[service].remnant = .yes
    runtimes[service].cgroupKill = .notTried
    let found = strays(of: service)
    // Nobody: they died meanwhile, and the sweep ends with its next look.
    guard !found.isEmpty else {
      return deliver(.scanned(generation: generation(of: service), []), to: service)
    }
    let names = found.prefix(8).map { "pid \($0.identity.pid) \"\($0.command)\"" }.joined(separator: ", ")
    log.log(
      .warning, service: runtimes[service].definition.name, generation: generation(of: service),
      "in its cgroup, though not below its keeper: \(names); it is removed, too", kind: .straySwept)
    deliver(.scanned(generation: generation(of: service), found), to: service)
  }

  /// The end of such a sweep: nobody is told of it by a keeper.
  func lookAtRemnant(_ service: Int) {
    let runtime = runtimes[service]
    guard runtime.remnant == .yes, leaveCgroup(of: service) == .gone else { return }
    runtime.remnant = .no
    deliver(.treeEmptied(generation: generation(of: service)), to: service)
  }

  /// Everybody in the cgroup of a generation at once, after they were stopped so that all can be named.
  ///
  /// Once in a sweep: who is still there after that is not in the cgroup, and killed one by one. nil where that is
  /// the only way (before Linux 5.14), though nobody runs any more.
  func killCgroup(of service: Int) -> Sweeper.Round? {
    let runtime = runtimes[service]
    guard let cgroup = runtime.cgroup, runtime.cgroupKill == .notTried else { return nil }
    runtime.cgroupKill = .tried
    do throws(SystemError) { try cgroup.group.freeze() } catch {
      // They run on, then; the kill does not depend on it.
    }
    let found = descendants(of: service)
    do throws(SystemError) { try cgroup.group.kill() } catch { return nil }
    sweeper(of: service).attend(found)
    return Sweeper.Round(found: found, refusals: [:])
  }

  /// Those in the cgroup of a service whose parents are not: where walks begin when there is no keeper to begin at.
  func cgroupRoots(of service: Int) -> [Int32] {
    guard let cgroup = runtimes[service].cgroup else { return [] }
    let members = Set(cgroup.group.members)
    return members.filter { pid in
      guard let stat = ProcessTable.stat(of: pid) else { return false }
      return !members.contains(stat.parent)
    }.sorted()
  }

  /// Orphans that may be of a service whose keeper was killed: not those in the cgroup of another one.
  func orphans(of service: Int) -> [Int32] {
    let orphans = orphans()
    if orphans.isEmpty { return cgroupRoots(of: service) }
    var others: Set<Int32> = []
    for other in runtimes.indices where other != service && runtimes[other].adopted == .yes {
      others.formUnion(runtimes[other].cgroup?.group.members ?? [])
    }
    let roots = orphans.filter { !others.contains($0) }
    return roots + cgroupRoots(of: service).filter { !roots.contains($0) }
  }

  /// What a former daemon left of a service and could not be killed at the start: one line, or nil.
  func occupyingAbandoned(_ service: Int) -> String? {
    let name = runtimes[service].definition.name
    guard let groups = abandoned[name] else { return nil }
    let left = groups.filter { $0.group.remove() == .populated }
    abandoned[name] = left.isEmpty ? nil : left
    for generation in left {
      do throws(SystemError) { try generation.group.kill() } catch { report([error], for: runtimes[service]) }
    }
    return left.first.map {
      "\(AbandonedSweep.describe($0)) of a former daemon is still there, though it was killed"
    }
  }
}
