package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tns-project/tns/evpn"
)

// journalSuffix follows the file's name in that of its journal.
const journalSuffix = ".journal"

const (
	journalMagic  = "TESJRNL\x01" // the last octet is the version of the layout
	journalHeader = 16            // magic, TES-ID, CRC-32C
	entryHeader   = 17            // length, number, kind, CRC-32C
	journalSize   = 128 << 10     // what a new journal takes: records that fit are written over what is there, without a change of the file's size
)

// kinds of journal records.
const (
	entryPut     = 1 // VMID, record
	entryForget  = 2 // VMID
	entryNumber  = 3 // number, VN Name
	entryRebuilt = 4 // NVE-ID
)

// entry is one record of the journal.
type entry struct {
	number uint64 // 1 for the first there ever was
	kind   byte
	body   []byte
}

// journal is the open file; it has no lock of its own.
type journal struct {
	path   string
	tes    evpn.RouterID
	file   *os.File // nil until there is one
	end    int64    // where the next record goes
	last   uint64   // number of the last record
	buffer []byte
	broken error // why it is not known what the file holds
}

// readJournal reads the journal, if there is one: the records after number applied, and where the next one goes. A last record that was
// not written wholly was never acknowledged: it is no error and is written over.
func readJournal(path string, tes evpn.RouterID, applied uint64) (j journal, entries []entry, err error) {
	j = journal{path: path, tes: tes, end: journalHeader, last: applied}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return j, nil, nil
	case err != nil:
		return j, nil, fmt.Errorf("read journal: %w", err)
	case len(b) < journalHeader || string(b[:journalHeader]) != string(journalStart(tes)):
		return j, nil, &CorruptError{Path: path, Err: fmt.Errorf("it does not begin as the journal of TES-ID %v, format %d", tes, journalMagic[7])}
	}
	end, last := journalHeader, uint64(0)
	for {
		e, ok := entryAt(b, end)
		if !ok || last != 0 && e.number <= last { // the end, or what is left of an earlier round
			break
		}
		if last != 0 && e.number != last+1 || last == 0 && e.number > applied+1 {
			return j, nil, &CorruptError{Path: path, Err: fmt.Errorf("record %d at octet %d follows record %d", e.number, end, max(last, applied))}
		}
		last = e.number
		end += entryHeader + len(e.body)
		if last > applied {
			entries = append(entries, e)
		}
	}
	known := max(last, applied)
	for at := end + 1; at+entryHeader <= len(b); at++ {
		if n := binary.BigEndian.Uint64(b[at+4:]); n <= known || n-known > 1<<20 {
			continue
		}
		if e, ok := entryAt(b, at); ok {
			return j, nil, &CorruptError{Path: path, Err: fmt.Errorf("the record at octet %d is damaged, record %d at octet %d is whole", end, e.number, at)}
		}
	}
	if last > applied {
		j.end, j.last = int64(end), last
	}
	return j, entries, nil
}

// entryAt is the record at that octet, if there is a whole one.
func entryAt(b []byte, at int) (entry, bool) {
	if at+entryHeader > len(b) {
		return entry{}, false
	}
	b = b[at:]
	n := int(binary.BigEndian.Uint32(b))
	if n > len(b)-entryHeader || binary.BigEndian.Uint32(b[13:]) != entrySum(b[:entryHeader+n], int64(at)) {
		return entry{}, false
	}
	return entry{number: binary.BigEndian.Uint64(b[4:]), kind: b[12], body: b[entryHeader : entryHeader+n]}, true
}

// entrySum covers where the record is, its header and its body.
func entrySum(b []byte, at int64) uint32 {
	sum := crc32.Update(0, castagnoli, binary.BigEndian.AppendUint64(nil, uint64(at)))
	sum = crc32.Update(sum, castagnoli, b[:13])
	return crc32.Update(sum, castagnoli, b[entryHeader:])
}

func journalStart(tes evpn.RouterID) []byte {
	b := binary.BigEndian.AppendUint32([]byte(journalMagic), uint32(tes))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// open opens the file that readJournal read, if there is one.
func (j *journal) open() error {
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	j.file = f
	return err
}

// create makes an empty journal under another name first: one under its own name is always whole.
func (j *journal) create() error {
	fresh := j.path + ".new"
	b := make([]byte, journalSize)
	copy(b, journalStart(j.tes))
	err := os.WriteFile(fresh, b, 0o600)
	if err == nil {
		err = syncFile(fresh)
	}
	if err == nil {
		err = os.Rename(fresh, j.path)
	}
	if err != nil {
		os.Remove(fresh)
		return err
	}
	if err := syncFile(filepath.Dir(j.path)); err != nil {
		return err
	}
	return j.open()
}

// add appends a record; one that could not be written is taken back.
func (j *journal) add(kind byte, body ...[]byte) error {
	if j.broken != nil {
		return j.broken
	}
	if j.file == nil {
		if err := j.create(); err != nil {
			return err
		}
	}
	b := append(j.buffer[:0], make([]byte, entryHeader)...)
	for _, part := range body {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-entryHeader))
	binary.BigEndian.PutUint64(b[4:], j.last+1)
	b[12] = kind
	binary.BigEndian.PutUint32(b[13:], entrySum(b, j.end))
	j.buffer = b
	_, err := j.file.WriteAt(b, j.end)
	if err == nil {
		err = os.NewSyscallError("fdatasync "+j.path, syscall.Fdatasync(int(j.file.Fd())))
	}
	if err != nil {
		if undo := errors.Join(j.file.Truncate(j.end), j.file.Sync()); undo != nil {
			j.broken = fmt.Errorf("a record could not be taken back, restart tesd: %w", undo)
		}
		return err
	}
	j.end += int64(len(b))
	j.last++
	return nil
}

// empty has the next record written at the beginning. What is there is known by its number as of before.
func (j *journal) empty() { j.end = journalHeader }

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
