// Package container tests the container files of this folder without a container engine.
package container

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

type composeFile struct {
	Services struct{ Sandbox, App service }
}

type service struct {
	Command     string
	Environment map[string]string
}

// The programs, started with the variables that the container files set, work together. Instead of a network of
// containers, where the sandbox has the name of its service, the application uses the sandbox as its HTTP proxy.
func TestCompose(t *testing.T) {
	t.Parallel()
	var compose composeFile
	data, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	containerfile, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	addr := regexp.MustCompile(`(?m)^ENV MONEYKIT_SANDBOX_ADDR=(:\d+)$`).FindSubmatch(containerfile)
	if addr == nil || !strings.HasSuffix(compose.Services.App.Environment["MONEYKIT_URL"], "//sandbox"+string(addr[1])) {
		t.Fatalf("the sandbox listens on %q, and the application calls %s", addr, compose.Services.App.Environment["MONEYKIT_URL"])
	}

	dir := t.TempDir()
	sandbox := build(t, dir, "github.com/moneykit/moneykit-go/sandbox/cmd/moneykit-sandbox")
	path, ok := strings.CutPrefix(compose.Services.App.Command, "go run ./")
	if !ok {
		t.Fatalf("the application's command is %q", compose.Services.App.Command)
	}
	app := build(t, dir, "github.com/moneykit/moneykit-go/"+path)

	server := exec.Command(sandbox)
	server.Env = append(environment(compose.Services.Sandbox), "MONEYKIT_SANDBOX_ADDR=127.0.0.1:0") // any port: tests run in parallel
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	url := ""
	for lines := bufio.NewScanner(stdout); url == "" && lines.Scan(); {
		url = strings.TrimPrefix(lines.Text(), "export MONEYKIT_URL=")
		if url == lines.Text() {
			url = ""
		}
	}

	health := exec.Command(sandbox, "-health-check")
	health.Env = append(environment(compose.Services.Sandbox), "MONEYKIT_SANDBOX_ADDR="+url[strings.LastIndex(url, ":"):])
	if out, err := health.CombinedOutput(); err != nil {
		t.Errorf("health check: %v\n%s", err, out)
	}

	client := exec.Command(app)
	client.Env = append(environment(compose.Services.App), "HTTP_PROXY="+url)
	out, err := client.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("3. exchanged")) || !bytes.Contains(out, []byte("host=sandbox"+string(addr[1]))) {
		t.Errorf("%v\n%s", err, out)
	}
}

func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	program := filepath.Join(dir, filepath.Base(pkg)+".exe")
	if out, err := exec.Command("go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func environment(s service) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")} // Windows needs it for sockets
	for name, value := range s.Environment {
		env = append(env, name+"="+value)
	}
	return env
}
