package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A redisServer is a Redis server of this run's own, on a Unix socket in a temporary directory.
type redisServer struct {
	dir string
	cmd *exec.Cmd
}

func startRedis() (*redisServer, error) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return nil, err
	}
	s := &redisServer{dir: dir}
	if err := s.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "socket") }

// start starts the server, without the data of an earlier one, and waits until it responds.
func (s *redisServer) start() error {
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--save", "", "--appendonly", "no", "--dir", s.dir)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if err = ping(s.socket()); err == nil {
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("redis-server does not respond: %w", err)
}

func ping(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, len("+PONG\r\n")))
	return err
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) remove() {
	s.kill()
	os.RemoveAll(s.dir)
}
