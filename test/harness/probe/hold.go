package probe

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Hold is the connections that a client keeps open.
type Hold struct {
	// URLs are asked over the connections, each by one of as many.
	URLs        []string
	Connections int
	// Every is the time between two requests on a connection, Timeout how long one may take.
	Every, Timeout time.Duration
}

// HoldConnections keeps connections open, asks over each of them again and again, and writes what became of each request. A
// connection that breaks is opened anew: a request that fails is a connection that was lost.
func HoldConnections(ctx context.Context, hold Hold, out io.Writer) error {
	results := make(chan Request, hold.Connections)
	var holding sync.WaitGroup
	for i := range hold.Connections {
		holding.Go(func() { keepAsking(ctx, hold, hold.URLs[i%len(hold.URLs)], results) })
	}
	go func() {
		holding.Wait()
		close(results)
	}()
	for result := range results {
		if err := write(out, result); err != nil {
			return err
		}
	}
	return nil
}

func keepAsking(ctx context.Context, hold Hold, url string, results chan<- Request) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Timeout: hold.Timeout, Transport: transport}
	tick := time.NewTicker(hold.Every)
	defer tick.Stop()
	for {
		// A POST is not tried again on another connection, behind the client's back, where one has been closed.
		request := Request{Time: time.Now(), URL: url}
		body, err := post(client, url)
		request.Took, request.Body = time.Since(request.Time), strings.TrimSpace(body)
		if err != nil {
			request.Error = err.Error()
			transport.CloseIdleConnections()
		}
		results <- request
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func post(client *http.Client, url string) (string, error) {
	response, err := client.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		return "", err
	}
	return read(response)
}
