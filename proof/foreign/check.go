// Checks a log with Go's sumdb note and tlog, which share no code with the hub that wrote it. From docs/log.md.
//
//	check DIR ROOT [CHECKPOINT...]
//
// DIR is the log, ROOT the file of the root key's public half, CHECKPOINT a checkpoint that was kept from earlier; those
// that DIR keeps itself are taken too. Checked: each certificate is the root key's, stands at the index that it names
// and names the root of what was before; each checkpoint is signed by the one key that may sign its size; the roots from
// the entries alone; proofs, made from the tiles, of entries and between sizes. Exit: 0 all agrees, 1 something does not.
//
// Debian: golang-go golang-golang-x-mod-dev; GO111MODULE=off GOPATH=/usr/share/gocode go build check.go
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	kindEpoch  = 5
	bundle     = 256 // entries in a full bundle
	inclusions = 2000
)

func must(err error, what ...interface{}) {
	if err != nil {
		fmt.Fprintln(os.Stderr, append(append([]interface{}{"REFUSED:"}, what...), err)...)
		os.Exit(1)
	}
}

func need(true bool, what string) {
	if !true {
		must(errors.New(what))
	}
}

func parseInt(text, what string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err, what)
	return n
}

// open gives the lines of a note that is signed by the key.
func open(text []byte, key string) []string {
	verifier, err := note.NewVerifier(key)
	must(err, "key")
	n, err := note.Open(text, note.VerifierList(verifier))
	must(err, "note of", verifier.Name())
	return strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
}

// tiles is a directory of tiles of height 8; the C2SP names leave the height out.
type tiles string

func (d tiles) Height() int                     { return 8 }
func (d tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (d tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range list {
		data, err := d.read("tile/" + strings.TrimPrefix(t.Path(), "tile/8/"))
		if err == nil && len(data) < t.W*tlog.HashSize {
			err = fmt.Errorf("%s is short", t.Path())
		}
		if err != nil {
			return nil, err
		}
		out = append(out, data[:t.W*tlog.HashSize])
	}
	return out, nil
}

// read gives a partial file, or the full one that replaced it.
func (d tiles) read(path string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), path))
	if cut := strings.Index(path, ".p/"); err != nil && cut >= 0 {
		data, err = os.ReadFile(filepath.Join(string(d), path[:cut]))
	}
	return data, err
}

// entries gives the first entries of the log from its bundles.
func (d tiles) entries(size int64) [][]byte {
	var out [][]byte
	for n := int64(0); n*bundle < size; n++ {
		width := bundle
		if left := size - n*bundle; left < bundle {
			width = int(left)
		}
		path := tlog.Tile{H: 8, L: 0, N: n, W: width}.Path()
		data, err := d.read("tile/entries/" + strings.TrimPrefix(path, "tile/8/0/"))
		must(err, "bundle")
		for k := 0; k < width; k++ {
			need(len(data) >= 2 && len(data) >= 2+int(binary.BigEndian.Uint16(data)), path+" is short")
			end := 2 + int(binary.BigEndian.Uint16(data))
			out = append(out, data[2:end])
			data = data[end:]
		}
	}
	return out
}

// memory holds every stored hash of the tree, made from the entries alone.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, k := range indexes {
		if k >= int64(len(m)) {
			return nil, errors.New("behind the end of the tree")
		}
		out = append(out, m[k])
	}
	return out, nil
}

func (m memory) root(size int64) tlog.Hash {
	if size == 0 { // RFC 6962; the tlog of Debian 12 gives zeros.
		return sha256.Sum256(nil)
	}
	root, err := tlog.TreeHash(size, m)
	must(err, "root of size", size)
	return root
}

// epoch is a key and the sizes that it may sign, but for those of later epochs.
type epoch struct {
	key          string
	after, until int64
}

// certificate reads entry `index` of the log, behind its kind byte.
func certificate(text []byte, root string, number int, index int64, tree memory) epoch {
	lines := open(text, root)
	origin := strings.TrimSuffix(strings.SplitN(root, "+", 2)[0], "/root")
	names := []string{"log ", "epoch ", "key ", "after ", "until ", "issued "}
	need(len(lines) == 7 && lines[0] == "wavewitness epoch key v1", "not a certificate")
	var fields []string
	for k, name := range names {
		need(strings.HasPrefix(lines[k+1], name), "certificate: no "+name)
		fields = append(fields, lines[k+1][len(name):])
	}
	after := strings.Split(fields[3], " ")
	need(fields[0] == origin && strings.HasPrefix(fields[2], origin+"+"), "certificate of another log")
	need(parseInt(fields[1], "epoch") == int64(number), "certificate of another epoch")
	need(len(after) == 2 && parseInt(after[0], "after") == index, "certificate out of its place")
	need(after[1] == tree.root(index).String(), "certificate of another past")
	return epoch{fields[2], index, parseInt(fields[4], "until")}
}

// checkpoint gives size and root of a checkpoint that was signed by the key that may sign its size.
func checkpoint(text []byte, history []epoch) (int64, tlog.Hash) {
	lines := strings.Split(string(text), "\n") // The size chooses the key; nothing is believed before `open`.
	need(len(lines) > 3, "checkpoint is short")
	size := parseInt(lines[1], "size")
	for k := len(history) - 1; k >= 0; k-- {
		if e := history[k]; e.after < size {
			need(size <= e.until, "no key may sign this size")
			lines = open(text, e.key)
			need(lines[0] == strings.SplitN(e.key, "+", 2)[0], "checkpoint of another log")
			root, err := tlog.ParseHash(lines[2])
			must(err, "root")
			return size, root
		}
	}
	must(errors.New("no key may sign this size"), "checkpoint")
	return 0, tlog.Hash{}
}

func load(path string) []byte {
	text, err := os.ReadFile(path)
	must(err)
	return text
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check DIR ROOT [CHECKPOINT...]")
		os.Exit(2)
	}
	dir, rootKey := tiles(os.Args[1]), strings.TrimSpace(string(load(os.Args[2])))
	latest := load(filepath.Join(os.Args[1], "checkpoint"))
	lines := strings.SplitN(string(latest), "\n", 3)
	need(len(lines) == 3, "checkpoint is short")
	entries := dir.entries(parseInt(lines[1], "size"))

	var tree memory
	var history []epoch
	for k, entry := range entries {
		if len(entry) > 0 && entry[0] == kindEpoch {
			history = append(history, certificate(entry[1:], rootKey, len(history), int64(k), tree))
		}
		hashes, err := tlog.StoredHashes(int64(k), entry, tree)
		must(err, "hashing")
		tree = append(tree, hashes...)
	}
	size, root := checkpoint(latest, history)
	need(tree.root(size) == root, "the entries give another root than the checkpoint")

	// Proofs are made from the tiles; TileHashReader authenticates each tile against the root.
	stored := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, dir)
	consistent := func(n int64, past tlog.Hash) {
		proof, err := tlog.ProveTree(size, n, stored)
		must(err, "proving consistency with", n)
		must(tlog.CheckTree(proof, size, root, n, past), "consistency with", n)
	}
	proved := 0
	for k := int64(0); k < size; k += size/inclusions + 1 {
		proof, err := tlog.ProveRecord(size, k, stored)
		must(err, "proving entry", k)
		must(tlog.CheckRecord(proof, size, root, k, tlog.RecordHash(entries[k])), "entry", k)
		consistent(k+1, tree.root(k+1))
		proved++
	}
	own, err := filepath.Glob(filepath.Join(os.Args[1], "checkpoints", "*"))
	must(err)
	kept := append(own, os.Args[3:]...)
	for _, path := range kept {
		n, past := checkpoint(load(path), history)
		need(n <= size, path+": the log was rolled back")
		need(tree.root(n) == past, path+": another past")
		consistent(n, past)
	}
	fmt.Printf("accepted: %d entries, %d certificates, %d proofs of entries and between sizes, %d kept checkpoints\n",
		size, len(history), proved, len(kept))
}
