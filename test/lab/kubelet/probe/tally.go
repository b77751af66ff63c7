package probe

// Tally counts a probe's results and tells when enough of one kind came in a row to change the verdict.
type Tally struct {
	// SuccessThreshold and FailureThreshold are how many equal results in a row it takes; at least 1.
	SuccessThreshold, FailureThreshold int32

	healthy bool
	decided bool
	last    bool
	run     int32
}

// Add takes one result and returns the verdict. changed is true when the verdict differs from the one before; there is
// none before a threshold is first reached.
func (t *Tally) Add(success bool) (healthy, changed bool) {
	if success != t.last {
		t.run = 0
	}
	t.last = success
	t.run++
	threshold := t.FailureThreshold
	if success {
		threshold = t.SuccessThreshold
	}
	if t.run < threshold || (t.decided && t.healthy == success) {
		return t.healthy, false
	}
	t.healthy, t.decided = success, true
	return success, true
}
