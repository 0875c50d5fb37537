import Glibc

func log10(_ value: Double) -> Double { Glibc.log10(value) }
func power10(_ exponent: Double) -> Double { Glibc.pow(10, exponent) }
