package logkey_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"
)

// One thing has one key: a key that two constants share, or that is written in another style, splits a search of the log.
func TestKeysAreUniqueAndOfOneStyle(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "logkey.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	style := regexp.MustCompile(`^([a-z]+([A-Z][a-z]+)*|(BGP|ExternalIP)?[A-Z][a-z]+([A-Z][a-z]+)*)$`)
	ast.Inspect(file, func(n ast.Node) bool {
		constant, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		literal, ok := constant.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", constant.Names[0])
		}
		key, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := names[key]; taken {
			t.Errorf("%s and %s are both %q", other, constant.Names[0], key)
		}
		names[key] = constant.Names[0].Name
		if !style.MatchString(key) {
			t.Errorf("%q is neither like sessionState nor a kind of object", key)
		}
		return true
	})
	if len(names) == 0 {
		t.Error("no keys found")
	}
}
