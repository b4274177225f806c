// The names of capabilities(7) and their numbers, <linux/capability.h>.

package enum CapabilityName {
  private static let names = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
  ]

  /// "CAP_NET_BIND_SERVICE", in the order of their numbers.
  package static var all: [String] { names.map { "CAP_" + $0 } }

  /// The bit of a capability by its full name; 0 for an unknown one, which the configuration refuses.
  package static func bit(_ name: String) -> UInt64 {
    guard let number = names.firstIndex(where: { "CAP_" + $0 == name }) else { return 0 }
    return 1 << UInt64(number)
  }
}
