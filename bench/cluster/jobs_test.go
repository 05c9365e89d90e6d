package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// simulate runs the file of an array job as Slurm does, with programs of ours in place of ovbench and scontrol. do gets
// the process once the program has said that it works. It returns the exit code and what the programs noted.
func simulate(t *testing.T, program string, env []string, do func(*os.Process)) (code int, notes string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not here")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("scontrol", "#!/bin/sh\necho \"scontrol $*\" >>\"$NOTES\"\n")
	j := odd()
	j.Image, j.WorkDir = "", dir
	j.Program = write("ovbench o'", "#!/bin/bash\nfor a; do echo \"[$a]\" >>\"$NOTES\"; done\n"+program)
	job, _, err := j.Slurm()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), bash, write("job.sbatch", job))
	record := filepath.Join(dir, "notes")
	c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "NOTES="+record, "SLURM_ARRAY_JOB_ID=7",
		"SLURM_ARRAY_TASK_ID=3", "SLURM_CPUS_PER_TASK=4")
	c.Env = append(c.Env, env...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if text, _ := os.ReadFile(record); strings.Contains(string(text), "[4]") { // the last argument
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	do(c.Process)
	_ = c.Wait()
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(text)
}

const saves = `trap 'echo saving >>"$NOTES"; sleep 0.2; exit 130' TERM
while :; do sleep 0.02; done
`

// TestSlurmBody sends the signals that Slurm sends.
func TestSlurmBody(t *testing.T) {
	term := func(p *os.Process) { time.Sleep(100 * time.Millisecond); _ = p.Signal(syscall.SIGTERM) }
	nothing := func(*os.Process) {}
	for _, c := range []struct {
		name, program string
		env           []string
		do            func(*os.Process)
		code          int
		requeued      bool
	}{
		{"done", "exit 0", nil, nothing, 0, false},
		{"samples failed", "exit 3", nil, nothing, 3, false},
		{"stopped in time", saves, nil, term, 130, true},
		{"stopped twice", saves, nil, func(p *os.Process) { term(p); term(p) }, 130, true},
		{"stopped too often", saves, []string{"SLURM_RESTART_COUNT=20"}, term, 130, false},
		{"stopped as it ended", "trap 'exit 0' TERM\nwhile :; do sleep 0.02; done", nil, term, 0, false},
	} {
		code, notes := simulate(t, c.program, c.env, c.do)
		if code != c.code || strings.Contains(notes, "scontrol requeue 7_3") != c.requeued {
			t.Errorf("%s: exit code %d, want %d; requeued must be %t:\n%s", c.name, code, c.code, c.requeued, notes)
		}
		for _, arg := range []string{"mine suite.yaml", "--only=x'; touch /tmp/broken", "--set=methods=[clip, gem]",
			"/scratch/a b/$HOME", "auto/16", "--resume"} {
			if !strings.Contains(notes, "["+arg+"]") {
				t.Errorf("%s: the argument %q did not arrive:\n%s", c.name, arg, notes)
			}
		}
	}
}

func TestSlurmHead(t *testing.T) {
	job, merge, err := odd().Slurm()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"#SBATCH --job-name=ovbench-my-s-ite-2", "#SBATCH --array=0-15%8", "#SBATCH --requeue", "#SBATCH --open-mode=append",
		"#SBATCH --signal=B:TERM@120", `#SBATCH --output="/scratch/a b/$HOME/logs/%A_%a.log"`, "#SBATCH --cpus-per-task=4",
		"#SBATCH --gres=gpu:1", "#SBATCH --mem=32G", "#SBATCH --time=1-02:00:00", "#SBATCH --qos=short",
		"# about 41 minutes a part",
	} {
		if !strings.Contains(job, line+"\n") {
			t.Errorf("the job lacks %q:\n%s", line, job)
		}
	}
	percent := odd()
	percent.Out = "/scratch/50%j"
	if text, _, err := percent.Slurm(); err != nil || !strings.Contains(text, "--output=/scratch/50%%j/logs/%A_%a.log\n") {
		t.Errorf("Slurm fills numbers into the folder's name (%v):\n%s", err, text)
	}
	if !strings.Contains(job, "apptainer run --bind '/scratch/a b/$HOME' --bind '/home/o'\\''neil'") ||
		!strings.Contains(job, "--env 'OVBENCH_CACHE=/scratch/a b/$HOME/cache'") {
		t.Errorf("the container lacks its folders:\n%s", job)
	}
	for _, text := range []string{job, merge} {
		if strings.Contains(text, "gpu") && text == merge {
			t.Error("the job that joins the parts asks for a GPU")
		}
		if bash, err := exec.LookPath("bash"); err == nil {
			c := exec.CommandContext(t.Context(), bash, "-n")
			c.Stdin = strings.NewReader(text)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	}
}

// TestKubernetesRules holds the rules of a server that schemas do not say.
func TestKubernetesRules(t *testing.T) {
	job, merge, err := odd().Kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	for d := yaml.NewDecoder(strings.NewReader(job)); ; {
		var o map[string]any
		if d.Decode(&o) != nil {
			break
		}
		objects = append(objects, o)
	}
	if len(objects) != 2 {
		t.Fatalf("%d objects, want a ConfigMap and a Job:\n%s", len(objects), job)
	}
	if got := objects[0]["data"].(map[string]any)["mine_suite.yaml"]; got != odd().Suites[0].Text {
		t.Errorf("the suite arrives as %q", got)
	}
	name := objects[1]["metadata"].(map[string]any)["name"].(string)
	spec := objects[1]["spec"].(map[string]any)
	pod := spec["template"].(map[string]any)["spec"].(map[string]any)
	if spec["completionMode"] != "Indexed" || spec["backoffLimitPerIndex"] == nil || pod["restartPolicy"] != "Never" {
		t.Error("backoffLimitPerIndex and podFailurePolicy want an Indexed Job whose pods are never restarted in place")
	}
	if len(name)+len("-15") > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		t.Errorf("%s is no DNS label with room for an index", name)
	}
	last := 0
	for _, rule := range spec["podFailurePolicy"].(map[string]any)["rules"].([]any) {
		codes, ok := rule.(map[string]any)["onExitCodes"].(map[string]any)
		if !ok {
			continue
		}
		for _, v := range codes["values"].([]any) {
			if v.(int) <= last { // sorted, distinct, not 0
				t.Errorf("exit codes %v", codes["values"])
			}
			last = v.(int)
		}
	}
	args := pod["containers"].([]any)[0].(map[string]any)["args"].([]any)
	if args[1] != "/suites/mine_suite.yaml" || args[2] != odd().Args[1] {
		t.Errorf("arguments %q", args)
	}
	if strings.Contains(job+merge, "/home/o'neil") || strings.Contains(job+merge, "/scratch") {
		t.Error("a path of this machine is in the manifest")
	}
}

// TestKubernetesSchemas validates manifests with kubernetes-validate, which has the schemas of all recent versions.
func TestKubernetesSchemas(t *testing.T) {
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" {
		t.Skip("OVBENCH_PYTHON names no Python")
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import kubernetes_validate").Run(); err != nil {
		t.Skip("this Python has no kubernetes_validate")
	}
	job, merge, err := odd().Kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"job": job, "merge": merge} {
		path := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, version := range []string{"1.29", "1.31", "1.33", "1.35"} {
			validate := filepath.Join(filepath.Dir(python), "kubernetes-validate")
			if out, err := exec.CommandContext(t.Context(), validate, "--strict", "-k", version,
				path).CombinedOutput(); err != nil {
				t.Errorf("%s, Kubernetes %s: %s", name, version, out)
			}
		}
	}
}
