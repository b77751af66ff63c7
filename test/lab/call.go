package lab

import (
	"context"

	"github.com/herald-network/herald/test/lab/control"
	"github.com/herald-network/herald/test/lab/statedir"
)

// Call has the lab that is up in the directory carry out a command.
func Call(ctx context.Context, dir statedir.Dir, verb control.Verb, name string) (control.Answer, error) {
	if _, err := dir.Process(); err != nil {
		return control.Answer{}, err
	}
	return control.Call(ctx, dir.Socket(), verb, name)
}
