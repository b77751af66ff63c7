package table_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/table"
)

func TestParse(t *testing.T) {
	have := table.Parse(`Warning: something that is no table
NAME     AS      ROUTER ID      SESSIONS   AGE
node-1   64512   192.168.1.11   1/1        9s
node-2                          0/1
`, "NAME")
	want := []map[string]string{
		{"NAME": "node-1", "AS": "64512", "ROUTER ID": "192.168.1.11", "SESSIONS": "1/1", "AGE": "9s"},
		{"NAME": "node-2", "AS": "", "ROUTER ID": "", "SESSIONS": "0/1", "AGE": ""},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
