package ort

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// Level says how far a graph is rewritten before it runs. The zero value is the most.
type Level uint8

// The levels of ONNX Runtime's documentation: all adds layouts to extended, which adds fusions to
// basic, which folds constants and removes what does nothing.
const (
	OptimizeAll Level = iota
	OptimizeExtended
	OptimizeBasic
	OptimizeNone
)

// Options are how a session runs. The zero value is ready: all cores, weights repacked in memory.
type Options struct {
	// Device computes, and Precision is that of its products. See [CheckDevice] for what goes together.
	Device    Device
	Precision Precision
	// Threads work on one run; 0 is as many as the Go program uses (GOMAXPROCS), which respects a container's limit.
	Threads int
	// Mmap keeps float32 weights where they are: mapped from their file and shared between processes,
	// loaded in no time, where matrix products are 20 to 25 percent slower than with repacked copies.
	Mmap bool
	// AllowSpinning lets idle threads wait busily. It gains nothing alone and takes cores from
	// whatever else the program does, such as decoding the next images.
	AllowSpinning bool
	// Optimize is how far the graph is rewritten.
	Optimize Level
	// Profile, if not empty, is the beginning of the path of a JSON profile, which Close writes; a number follows, another
	// one for each session.
	Profile string
}

// Exact is o in f32, and on the CPU in place of OpenVINO, which wants standard operators: for networks that results do
// not name a precision of.
func (o Options) Exact() Options {
	if o.Precision = F32; o.Device.Provider == OpenVINO {
		o.Device = Device{}
	}
	return o
}

// profiles counts those begun: the library names a file by the second.
var profiles atomic.Int64

// Session is a model ready to run. It comes from [Library.NewSession], any goroutine may use it, and it
// must be closed.
type Session struct {
	name    string
	in, out []Port

	mu      sync.RWMutex // held for reading while a run is on, for writing to close
	session *onnxruntime.DynamicAdvancedSession

	foreign bool // it computes by libraries that may take signal handlers
	begun   atomic.Int64
}

// NewSession loads a serialized ONNX model. The name is for messages. The model's weights may lie in
// other files: their external-data locations are absolute paths without the leading slash.
func (l *Library) NewSession(name string, model []byte, o Options) (*Session, error) {
	s := &Session{name: name}
	var err error
	if s.in, s.out, err = ports(model); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := errors.Join(checkPorts("input", s.in), checkPorts("output", s.out)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	opts, err := onnxruntime.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	defer opts.Destroy()
	s.foreign = o.Device.Provider == CUDA
	s.guard(func() {
		if err = l.apply(o, opts); err != nil {
			err = fmt.Errorf("%s: session options: %w", name, err)
			return
		}
		s.session, err = onnxruntime.NewDynamicAdvancedSessionWithONNXData(model, names(s.in), names(s.out), opts)
		if err != nil {
			err = fmt.Errorf("%s: onnxruntime %s: %w", name, l.Version, cause(err))
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// guard does what may change signal handlers, the first times that a session with foreign kernels does anything.
func (s *Session) guard(do func()) {
	if s.foreign && s.begun.Add(1) <= 2 { // as it is made, and as it first runs
		keepSignals(do)
		return
	}
	do()
}

// apply sets a session up as o says.
func (l *Library) apply(o Options, opts *onnxruntime.SessionOptions) error {
	if err := CheckDevice(o.Device, o.Precision); err != nil {
		return err
	}
	if o.Threads < 0 {
		return fmt.Errorf("%d threads", o.Threads)
	}
	threads := o.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	levels := [...]onnxruntime.GraphOptimizationLevel{
		OptimizeAll:      onnxruntime.GraphOptimizationLevelEnableAll,
		OptimizeExtended: onnxruntime.GraphOptimizationLevelEnableExtended,
		OptimizeBasic:    onnxruntime.GraphOptimizationLevelEnableBasic,
		OptimizeNone:     onnxruntime.GraphOptimizationLevelDisableAll,
	}
	if int(o.Optimize) >= len(levels) {
		return fmt.Errorf("optimization level %d", o.Optimize)
	}
	flag := map[bool]string{false: "0", true: "1"}
	entry := opts.AddSessionConfigEntry
	errs := []error{
		opts.SetIntraOpNumThreads(threads),
		opts.SetInterOpNumThreads(1),
		opts.SetGraphOptimizationLevel(levels[o.Optimize]),
		// Blocks laid out beforehand take more memory than blocks reused as they come free, and no less time.
		opts.SetMemPattern(!o.Mmap),
		// Errors are returned; the library need not print them as well.
		opts.SetLogSeverityLevel(onnxruntime.LoggingLevelFatal),
		// Keys of onnxruntime_session_options_config_keys.h; unknown ones would be accepted silently.
		entry("session.model_external_initializers_file_folder_path", "/"),
		entry("session.disable_prepacking", flag[o.Mmap]),
		entry("session.intra_op.allow_spinning", flag[o.AllowSpinning]),
	}
	if o.Profile != "" {
		errs = append(errs, opts.EnableProfiling(fmt.Sprintf("%s-%d", o.Profile, profiles.Add(1))))
	}
	return errors.Join(append(errs, l.provide(o, opts, threads))...)
}

// provide gives the session the kernels of its device.
func (l *Library) provide(o Options, opts *onnxruntime.SessionOptions, threads int) error {
	switch o.Device.Provider {
	case OpenVINO:
		return o.openvino(opts, threads)
	case CUDA:
		return l.cuda(opts, o.Device)
	}
	return nil
}

func names(ports []Port) []string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = p.Name
	}
	return out
}

// Inputs are what Run takes, in its order.
func (s *Session) Inputs() []Port { return slices.Clone(s.in) }

// Outputs are what Run fills, in its order.
func (s *Session) Outputs() []Port { return slices.Clone(s.out) }

// Run computes the outputs from the inputs, both in the model's order, in as many dimensions as declared.
// The elements of out are filled in place; their shapes must be those that the model computes.
// When ctx is done the run stops before its next operator and the error wraps ctx.Err(); what out then
// holds is not defined. Nothing may be written to in, nor anything read from out, while Run runs.
func (s *Session) Run(ctx context.Context, in, out []Value) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	symbols := map[string]seen{}
	if err := checkValues("input", s.in, in, symbols); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := checkValues("output", s.out, out, symbols); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.session == nil {
		return fmt.Errorf("%s: the session is closed", s.name)
	}
	var pin runtime.Pinner
	defer pin.Unpin() // after the views are destroyed
	inputs, err := views(in, &pin)
	defer destroy(inputs)
	if err != nil {
		return fmt.Errorf("%s: input %w", s.name, err)
	}
	outputs, err := views(out, &pin)
	defer destroy(outputs)
	if err != nil {
		return fmt.Errorf("%s: output %w", s.name, err)
	}
	s.guard(func() { err = s.run(ctx, inputs, outputs) })
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.name, ctx.Err())
		}
		return fmt.Errorf("%s: %w", s.name, cause(err))
	}
	return nil
}

func (s *Session) run(ctx context.Context, inputs, outputs []onnxruntime.Value) error {
	if ctx.Done() == nil {
		return s.session.Run(inputs, outputs)
	}
	opts, err := onnxruntime.NewRunOptions() // one for each run: a terminated one stays so
	if err != nil {
		return err
	}
	defer opts.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		opts.Terminate()
	})
	err = s.session.RunWithOptions(inputs, outputs, opts)
	if !stop() {
		<-terminated // opts is in use until then
	}
	return err
}

// views are the runtime's views of values. With an error come those made before it.
func views(values []Value, pin *runtime.Pinner) ([]onnxruntime.Value, error) {
	out := make([]onnxruntime.Value, 0, len(values))
	for i, v := range values {
		t, err := v.tensor(pin)
		if err != nil {
			return out, fmt.Errorf("%d: %w", i, err)
		}
		out = append(out, t)
	}
	return out, nil
}

func destroy(values []onnxruntime.Value) {
	for _, v := range values {
		v.Destroy()
	}
}

// Close waits for the runs that are on and releases the session. Later runs fail; closing again does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil
	}
	err := s.session.Destroy()
	s.session = nil
	if err != nil {
		return fmt.Errorf("%s: close: %w", s.name, cause(err))
	}
	return nil
}
