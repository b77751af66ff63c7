package probe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Load is the requests that a client sends.
type Load struct {
	// URLs are asked in turn.
	URLs []string
	// Rate is how many requests begin each second, whether or not those before have ended.
	Rate int
	// Timeout is how long one may take. The kernel repeats a lost SYN after 1 s, so that with less than that a single
	// lost packet is a failed request.
	Timeout time.Duration
}

const maxBody = 256

// SendRequests sends requests, each on a connection of its own, and writes what became of each.
func SendRequests(ctx context.Context, load Load, out io.Writer) error {
	client := &http.Client{Timeout: load.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	results := make(chan Request, load.Rate)
	var inFlight sync.WaitGroup
	go func() {
		defer close(results)
		tick := time.NewTicker(time.Second / time.Duration(load.Rate))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				inFlight.Wait()
				return
			case <-tick.C:
				inFlight.Go(func() { results <- send(client, load.URLs[i%len(load.URLs)]) })
			}
		}
	}()
	for result := range results {
		if err := write(out, result); err != nil {
			return err
		}
	}
	return nil
}

func send(client *http.Client, url string) Request {
	request := Request{Time: time.Now(), URL: url}
	body, err := get(client, url)
	request.Took = time.Since(request.Time)
	request.Body = strings.TrimSpace(body)
	if err != nil {
		request.Error = err.Error()
	}
	return request
}

func get(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	return read(response)
}

func read(response *http.Response) (string, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}
