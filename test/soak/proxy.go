package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
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
	refused  atomic.Int64 // connections of refuseHTTP2
	running  sync.WaitGroup
}

// A break is how a connection ends.
type breakage int

const (
	refuse         breakage = iota // at once
	resetRequest                   // within a request, or between two
	resetResponse                  // within a response, or between two
	closeResponse                  // there, in order
	halfClose                      // there, and the client may go on writing
	stall                          // there nothing comes any more, until the client gives up
	refuseStreams                  // over HTTP/2: REFUSED_STREAM for each request, and then GOAWAY
	sendAway                       // over HTTP/2: GOAWAY below the first request
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
	in := bufio.NewReader(client)
	if how == refuseStreams || how == sendAway {
		if start, err := in.Peek(3); err == nil && string(start) == "PRI" {
			p.refused.Add(1)
			refuseHTTP2(client, in, how == sendAway)
			return
		}
		how = resetRequest // which HTTP/1.1 has in their place
	}
	conn, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	requests, responses := int64(foreverInBytes), int64(foreverInBytes)
	if how == resetRequest {
		requests = after
	} else {
		responses = after
	}
	var up sync.WaitGroup
	up.Go(func() {
		if n, _ := io.Copy(server, io.LimitReader(in, requests)); n == requests {
			p.broken.Add(1)
			_ = client.SetLinger(0)
			client.Close()
		}
		server.Close() // the client is gone
	})
	if n, _ := io.Copy(client, io.LimitReader(server, responses)); n == responses {
		p.broken.Add(1)
		switch how {
		case resetResponse:
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

// refuseHTTP2 is an HTTP/2 server (RFC 9113) that processes nothing. It resets a few requests with REFUSED_STREAM, and then
// sends GOAWAY with a last stream below the next one, or does that at once.
func refuseHTTP2(conn net.Conn, in io.Reader, atOnce bool) {
	const headers, rstStream, settings, goAway = 0x1, 0x3, 0x4, 0x7
	frame := func(kind, flags byte, stream uint32, payload ...byte) {
		head := []byte{0, 0, byte(len(payload)), kind, flags}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	}
	if _, err := io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	frame(settings, 0, 0)
	for refused := 0; ; {
		head := make([]byte, 9)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, in, size); err != nil {
			return
		}
		stream := head[5:9]
		switch kind, flags := head[3], head[4]; {
		case kind == settings && flags == 0:
			frame(settings, 1, 0)
		case kind == headers && (atOnce || refused == 3):
			last := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(stream)-1)
			frame(goAway, 0, 0, bytes.Join([][]byte{last, {0, 0, 0, 0}}, nil)...)
			_, _ = io.Copy(io.Discard, in) // until the client is gone
			return
		case kind == headers:
			refused++
			frame(rstStream, 0, binary.BigEndian.Uint32(stream), 0, 0, 0, 7)
		}
	}
}

// stop ends p. Connections end when the client lets go of them.
func (p *proxy) stop() {
	p.Close()
	p.running.Wait()
}
