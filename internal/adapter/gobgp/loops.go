package gobgp

import (
	"context"
	"slices"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
)

// loop is one GoBGP server with a brake on its management loop.
type loop struct {
	*server.BgpServer
	brake brake
}

// loops are those of all servers that run in this process. GoBGP keeps its route selection options in package variables
// (pkg/server/server.go, StartBgp), which every loop reads and every start writes: so while one server starts, the loops
// of all others stand still.
//
//nolint:gochecknoglobals // What it guards is global to the process.
var loops struct {
	sync.Mutex
	running []*loop
}

// start starts the server while all others stand still.
func (l *loop) start(ctx context.Context, global *api.Global) error {
	loops.Lock()
	defer loops.Unlock()
	resume := make(chan struct{})
	defer close(resume)
	for _, other := range loops.running {
		other.halt(ctx, resume)
	}
	if err := l.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return err
	}
	loops.running = append(loops.running, l)
	return nil
}

// stop stops the server, which can be started again.
func (l *loop) stop(ctx context.Context) error {
	loops.Lock()
	defer loops.Unlock()
	loops.running = slices.DeleteFunc(loops.running, func(other *loop) bool { return other == l })
	return l.StopBgp(ctx, &api.StopBgpRequest{})
}

// halt returns once the loop stands still, until resume is closed.
func (l *loop) halt(ctx context.Context, resume <-chan struct{}) {
	standing := make(chan struct{})
	l.brake <- stop{standing: standing, resume: resume}
	// Any operation takes an idle loop past its brake. This one may have to wait for the resumption itself.
	go func() { _, _ = l.GetBgp(ctx, &api.GetBgpRequest{}) }()
	<-standing
}

// brake stops the loop that it is the timing hook of: GoBGP calls that after each operation, in the loop.
type brake chan stop

type stop struct {
	standing chan<- struct{}
	resume   <-chan struct{}
}

func newBrake() brake { return make(brake, 1) }

// Observe stands still if that was asked for.
func (b brake) Observe(server.FSMOperation, time.Duration, time.Duration) {
	select {
	case s := <-b:
		close(s.standing)
		<-s.resume
	default:
	}
}
