package saved_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/saved"
)

var here = saved.Identity{Node: "node-1", Boot: "this"}

// Whatever is added to a peer, a path or a node is kept too, without anybody having to think of it.
func TestEveryFieldIsKept(t *testing.T) {
	var state saved.State
	fill(t, reflect.ValueOf(&state).Elem(), "State")
	text, err := saved.Encode(state, here)
	if err != nil {
		t.Fatal(err)
	}
	got, err := saved.Decode(text, here)
	if err != nil {
		t.Fatal(err)
	}
	private := cmp.AllowUnexported(bgp.Password{}, bgp.Communities{})
	plain := cmpopts.EquateComparable(bgp.ExportPolicy{}, netip.Addr{}, netip.AddrPort{}, netip.Prefix{})
	if diff := cmp.Diff(state, got, private, plain); diff != "" {
		t.Errorf("state (-saved +read):\n%s", diff)
	}
	if got.Peers[0].Password.Reveal() != "secret" {
		t.Error("the password is lost")
	}
	if bytes.Contains(text, []byte("redacted")) {
		t.Error("a placeholder was saved")
	}
}

// fill sets every field to something.
func fill(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch value := v.Addr().Interface().(type) {
	case *netip.Addr:
		*value = netip.MustParseAddr("fe80::1%eth0")
		return
	case *netip.AddrPort:
		*value = netip.MustParseAddrPort("192.168.1.1:179")
		return
	case *netip.Prefix:
		*value = netip.MustParsePrefix("2001:db8::/64")
		return
	case *bgp.Password:
		*value = bgp.PasswordOf("secret")
		return
	case *bgp.Communities:
		*value = bgp.CommunitiesOf(bgp.Community{Global: 64512, Data1: 1}, bgp.Community{Large: true, Global: 1, Data1: 2, Data2: 3})
		return
	case *bgp.ExportPolicy:
		var rule bgp.ExportRule
		fill(t, reflect.ValueOf(&rule).Elem(), path)
		*value = bgp.ExportPolicyOf(rule, bgp.ExportRule{Reject: true})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), path+"[]")
	case reflect.Map:
		item := reflect.New(v.Type().Elem()).Elem()
		fill(t, item, path+"[]")
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), item)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(1)
	default:
		t.Fatalf("%s is a %s, which this test can't fill", path, v.Type())
	}
}

func TestNoStateIsKeptToo(t *testing.T) {
	text, err := saved.Encode(saved.State{}, here)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := saved.Decode(text, here); err != nil || len(got.Peers) != 0 || len(got.Paths) != 0 {
		t.Errorf("decoded %+v, error %v", got, err)
	}
}

func TestDecodeRefusesWhatIsNotItsOwn(t *testing.T) {
	sound, err := saved.Encode(saved.State{Peers: []bgp.Peer{{Name: "tor", ASN: 64512}}}, here)
	if err != nil {
		t.Fatal(err)
	}
	text := string(sound)
	for name, row := range map[string]struct {
		text string
		who  saved.Identity
		want string
	}{
		"another node's":          {text: text, who: saved.Identity{Node: "node-2", Boot: "this"}, want: `it is of node "node-1"`},
		"of an earlier boot":      {text: text, who: saved.Identity{Node: "node-1", Boot: "next"}, want: "earlier boot"},
		"of a boot without an id": {text: strings.Replace(text, `"this"`, `""`, 1), who: saved.Identity{Node: "node-1"}, want: "earlier boot"},
		"cut off":                 {text: text[:len(text)/2], who: here, want: "damaged"},
		"empty":                   {text: "", who: here, want: "damaged"},
		"with another AS":         {text: strings.Replace(text, `"ASN":64512`, `"ASN":64513`, 1), who: here, want: "checksum"},
		"of another version":      {text: strings.Replace(text, `"Form":"`, `"Form":"f`, 1), who: here, want: "another version"},
		"with a field of others":  {text: strings.Replace(text, `{"Form"`, `{"Later":1,"Form"`, 1), who: here, want: "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			if row.text == text && row.who == here {
				t.Fatal("the test changes nothing")
			}
			if _, err := saved.Decode([]byte(row.text), row.who); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want one with %q", err, row.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	sound, err := saved.Encode(saved.State{Peers: []bgp.Peer{{Name: "tor"}}, Paths: paths(2)}, here)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = saved.Decode(text, here) }) // It must not panic.
}

func BenchmarkEncode10000Routes(b *testing.B) {
	state := saved.State{Peers: []bgp.Peer{{Name: "tor"}}, Paths: paths(10_000)}
	b.ReportAllocs()
	for b.Loop() {
		text, err := saved.Encode(state, here)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(text)), "bytes")
	}
}

func paths(n int) []bgp.Path {
	list := make([]bgp.Path, n)
	for i := range list {
		list[i].Prefix = netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255))
	}
	return list
}
