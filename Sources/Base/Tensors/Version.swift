/// The version of this program, as files record it.
public let bantamVersion = "0.1.0"
