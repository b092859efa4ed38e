// Growth drives api and the code written by hand with 1 to 1,000 goroutines and plots what becomes of calls per second
// and of memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"image/color"
	"log"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

var goroutines = []int{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}

func main() {
	harness.ServeIfAsked()
	log.SetFlags(0)
	out := flag.String("out", "growth.svg", "the SVG `file` to write")
	each := flag.Duration("each", time.Second, "how long each point is measured")
	flag.Parse()
	if err := run(*out, *each); err != nil {
		log.Fatal("growth: ", err)
	}
}

func run(out string, each time.Duration) error {
	http1, http2, stop, err := harness.Loopback()
	if err != nil {
		return err
	}
	defer stop()
	var curves []curve
	for _, net := range []struct {
		harness.Net
		name  string
		color color.RGBA
	}{
		{harness.Memory(), "in memory", color.RGBA{R: 0x1b, G: 0x9e, B: 0x77, A: 0xff}},
		{http1, "HTTP/1.1", color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}},
		{http2, "TLS, HTTP/2", color.RGBA{R: 0x75, G: 0x70, B: 0xb3, A: 0xff}},
	} {
		byHand, err := harness.Hand(net.Net, harness.Plain)
		if err != nil {
			return err
		}
		ours, err := harness.API(net.Net, harness.Plain)
		if err != nil {
			return err
		}
		a := curve{name: net.name, color: net.color}
		b := curve{name: net.name + ", by hand", color: net.color, dashed: true}
		for _, n := range goroutines { // one after the other
			for _, c := range []struct {
				*curve
				harness.Contender
			}{{&a, ours}, {&b, byHand}} {
				p, err := measure(c.Exchange, n, each)
				if err != nil {
					return fmt.Errorf("%s, %d goroutines: %w", c.name, n, err)
				}
				c.points = append(c.points, p)
				fmt.Printf("%-22s %5d goroutines %8.0f calls/s %8.1f kB a call %7.1f MB in use\n",
					c.name, n, p.calls, p.allocated/1e3, p.inUse/1e6)
			}
		}
		curves = append(curves, a, b)
		net.HTTP.CloseIdleConnections() // they are in nobody else's memory
	}
	return draws(out, curves)
}

type curve struct {
	name   string
	color  color.Color
	dashed bool
	points []point
}

// A point is what was measured with one number of goroutines.
type point struct {
	calls     float64 // a second
	allocated float64 // bytes for a call
	inUse     float64 // bytes of heap and stacks that are live while the goroutines call
}

func measure(do func(context.Context) (string, error), goroutines int, each time.Duration) (point, error) {
	var calls atomic.Int64
	var failed atomic.Pointer[error]
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var connected sync.WaitGroup
	connected.Add(goroutines)
	for range goroutines {
		all.Go(func() {
			for first := true; first || ctx.Err() == nil; first = false {
				if _, err := do(context.Background()); err != nil {
					failed.Store(&err)
				}
				calls.Add(1)
				if first {
					connected.Done()
				}
			}
		})
	}
	connected.Wait()
	<-time.After(each / 4) // and the pools settle
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := calls.Load()
	rates := make([]float64, 5) // of which the middle one counts, whatever else the machine did
	for i := range rates {
		start, first := time.Now(), calls.Load()
		<-time.After(each / time.Duration(len(rates)))
		rates[i] = float64(calls.Load()-first) / time.Since(start).Seconds()
	}
	slices.Sort(rates)
	runtime.ReadMemStats(&after)
	allocated := float64(after.TotalAlloc-before.TotalAlloc) / float64(max(calls.Load()-began, 1))
	runtime.GC() // with the callers at work, so that only live memory counts
	runtime.ReadMemStats(&after)
	cancel()
	all.Wait()
	if err := failed.Load(); err != nil {
		return point{}, *err
	}
	return point{rates[len(rates)/2], allocated, float64(after.HeapAlloc + after.StackInuse)}, nil
}

// draws writes the plots, one above the other.
func draws(out string, curves []curve) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	panels := []struct {
		title    string
		min, max float64
		scale    plot.Normalizer
		ticks    plot.Ticker
		value    func(point) float64
	}{
		{"exchange_token: calls per second", 1e3, 1e6, plot.LogScale{}, marks{1e3: "1,000", 1e4: "10,000", 1e5: "100,000", 1e6: "1,000,000"},
			func(p point) float64 { return max(p.calls, 1e3) }},
		{"kB allocated for a call", 0, 15, plot.LinearScale{}, marks{0: "0", 5: "5", 10: "10", 15: "15"},
			func(p point) float64 { return p.allocated / 1e3 }},
		{"MB of heap and stacks in use", 1, 100, plot.LogScale{}, marks{1: "1", 10: "10", 100: "100"},
			func(p point) float64 { return max(p.inUse/1e6, 1) }},
	}
	callers := marks{}
	for _, n := range goroutines {
		callers[float64(n)] = strconv.Itoa(n)
	}
	plots := make([][]*plot.Plot, len(panels))
	for i, panel := range panels {
		p := plot.New()
		p.Title.Text = panel.title
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, callers
		p.Y.Scale, p.Y.Tick.Marker = panel.scale, panel.ticks
		p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs, p.Legend.Padding = true, vg.Points(12), vg.Points(4), vg.Points(1)
		p.Legend.TextStyle.Font.Size = vg.Points(9)
		p.Add(plotter.NewGrid())
		for _, c := range curves {
			xy := make(plotter.XYs, len(c.points))
			for j, pt := range c.points {
				xy[j] = plotter.XY{X: float64(goroutines[j]), Y: panel.value(pt)}
			}
			line, err := plotter.NewLine(xy)
			if err != nil {
				return err
			}
			line.Color, line.Width = c.color, vg.Points(2)
			if c.dashed {
				line.Width, line.Dashes = vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
			}
			p.Add(line)
			if i == 1 { // where there is room
				p.Legend.Add(c.name, line)
			}
		}
		p.Y.Min, p.Y.Max = panel.min, panel.max
		plots[i] = []*plot.Plot{p}
	}
	plots[len(plots)-1][0].X.Label.Text = "goroutines that share one client"

	const width, height = 640, 280
	canvas := vgsvg.New(width, height*vg.Length(len(panels)))
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadX: vg.Points(8), PadY: vg.Points(14), PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 16}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// marks are the ticks of an axis.
type marks map[float64]string

// Ticks implements plot.Ticker.
func (m marks) Ticks(_, _ float64) (out []plot.Tick) {
	for _, value := range slices.Sorted(maps.Keys(m)) {
		out = append(out, plot.Tick{Value: value, Label: m[value]})
	}
	return out
}
