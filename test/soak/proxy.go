package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// A proxy is a TCP proxy whose connections break. Each gets one way of breaking, and a number of bytes after which it
// does. It is no HTTP proxy: it breaks off wherever that number falls.
type proxy struct {
	net.Listener
	upstream string
	mean     int64 // how many bytes a connection lasts, on average
	broken   atomic.Int64
	running  sync.WaitGroup
}

// A break is how a connection ends.
type breakage int

const (
	refuse         breakage = iota // at once
	resetRequest                   // within a request, or between two
	resetAnswer                    // within an answer, or between two
	closeAnswer                    // there, in order
	halfClose                      // there, and the client may go on writing
	stall                          // there nothing comes any more, until the client gives up
	breakages                      // how many there are
	refuseOneIn    = 50            // new connections
	foreverInBytes = 1 << 62
)

func newProxy(upstream string, mean int64, random *rand.Rand) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{Listener: l, upstream: upstream, mean: mean}
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			how := 1 + breakage(random.IntN(int(breakages)-1))
			if random.IntN(refuseOneIn) == 0 {
				how = refuse
			}
			after := int64(random.ExpFloat64() * float64(mean))
			p.running.Go(func() { p.serve(conn.(*net.TCPConn), how, after) })
		}
	})
	return p, nil
}

func (p *proxy) serve(client *net.TCPConn, how breakage, after int64) {
	defer client.Close()
	if how == refuse {
		p.broken.Add(1)
		_ = client.SetLinger(0)
		return
	}
	conn, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	requests, answers := int64(foreverInBytes), int64(foreverInBytes)
	if how == resetRequest {
		requests = after
	} else {
		answers = after
	}
	var up sync.WaitGroup
	up.Go(func() {
		if n, _ := io.Copy(server, io.LimitReader(client, requests)); n == requests {
			p.broken.Add(1)
			_ = client.SetLinger(0)
			client.Close()
		}
		server.Close() // the client is gone
	})
	if n, _ := io.Copy(client, io.LimitReader(server, answers)); n == answers {
		p.broken.Add(1)
		switch how {
		case resetAnswer:
			_ = client.SetLinger(0)
			client.Close()
		case halfClose:
			_ = client.CloseWrite()
		case stall:
			go func() { _, _ = io.Copy(io.Discard, server) }() // until the client has given up
		default:
			client.Close()
		}
	} else {
		client.Close() // the server is gone
	}
	up.Wait()
}

// stop ends p. Connections end when the client lets go of them.
func (p *proxy) stop() {
	p.Close()
	p.running.Wait()
}
