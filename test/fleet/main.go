// Fleet plots what make fleet has simulated: the calls that have no token after many processes started together, each
// with a token of its own, or with one for all.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"log"
	"os"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A simulation is what sharedtoken/simulation_test.go writes of one.
type simulation struct {
	Processes int
	Shared    bool
	Percent   []float64 // calls without a token, in each 10 seconds
}

func main() {
	log.SetFlags(0)
	in := flag.String("in", "", "the JSON `file` that make fleet has written")
	out := flag.String("out", "many-instances.svg", "the SVG `file` to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		log.Fatal("fleet: ", err)
	}
}

func run(in, out string) error {
	data, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var simulations []simulation
	if err := json.Unmarshal(data, &simulations); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	p, err := curves(simulations)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	canvas := vgsvg.New(640, 300)
	p.Draw(draw.Crop(draw.New(canvas), 8, -20, 8, -8))
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

// label writes 10000 as 10,000.
func label(kind string, s simulation) string {
	return message.NewPrinter(language.English).Sprintf("%d processes, %s", s.Processes, kind)
}

func curves(simulations []simulation) (*plot.Plot, error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = "Calls without a token after a start of all processes"
	p.X.Label.Text, p.Y.Label.Text = "minutes", "% of calls"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 15, 0, 100
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 5, Label: "5"}, {Value: 10, Label: "10"}, {Value: 15, Label: "15"}}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs, p.Legend.Padding = true, true, vg.Points(370), -vg.Points(2), vg.Points(2)
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	p.Add(plotter.NewGrid())
	colors := []color.RGBA{{R: 0x75, G: 0x70, B: 0xb3, A: 0xff}, {R: 0x66, G: 0xa6, B: 0x1e, A: 0xff},
		{R: 0xe6, G: 0xab, B: 0x02, A: 0xff}, {R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}}
	var shared *plotter.Line
	largest, own := 0, 0
	for _, s := range simulations {
		points := make(plotter.XYs, len(s.Percent))
		for i, percent := range s.Percent {
			points[i] = plotter.XY{X: float64(i) / 6, Y: percent}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Width = vg.Points(2)
		if s.Shared {
			if s.Processes > largest {
				largest, shared = s.Processes, line
			}
			continue
		}
		line.Color = colors[own%len(colors)]
		own++
		p.Add(line)
		p.Legend.Add(label("own tokens", s), line)
	}
	if shared == nil || own == 0 {
		return nil, errors.New("want fleets with own tokens and with shared ones")
	}
	shared.Color, shared.Width = color.Black, vg.Points(3)
	p.Add(shared)
	p.Legend.Add(label("one shared token", simulation{Processes: largest}), shared)
	return p, nil
}
