package bgp

// ExportPolicy is a peer's ordered export rules, compiled: which paths it gets, and with which attributes. Equal policies
// are equal under ==. The zero value lets every path out as it is.
type ExportPolicy struct {
	text string // canonical
}
