// What this program calls itself.

package enum Product {
  package static let name = "fdsupervisord"
  package static let version = "0.1.0"
  package static let vendor = "The fdsupervisord authors"
  /// For the reply of GetInfo, which wants one.
  package static let url = ""
}
