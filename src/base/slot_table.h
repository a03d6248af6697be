// A fixed slab of objects addressed by slot number, each with a generation that changes whenever
// the slot is freed, so that a handle kept too long is recognised instead of hitting a stranger.
#ifndef RINGECHO_BASE_SLOT_TABLE_H_
#define RINGECHO_BASE_SLOT_TABLE_H_

#include <sys/mman.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

namespace ringecho::base {

// Not thread-safe. Never moves an object; never allocates after construction. Address space for
// `capacity` objects is reserved at once, memory is touched only as slots are first used, and the
// slot freed last is reused first, so a table sized for a million costs what is really open.
template <class T>
class SlotTable {
 public:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  explicit SlotTable(uint32_t capacity) : capacity_(capacity) {
    void* memory = mmap(nullptr, Bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    entries_ = static_cast<Entry*>(memory);
  }
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;
  ~SlotTable() {
    for (uint32_t slot = 0; slot < touched_; ++slot) {
      if (entries_[slot].live) entries_[slot].Object()->~T();
    }
    munmap(entries_, Bytes());
  }

  uint32_t capacity() const { return capacity_; }
  uint32_t size() const { return size_; }
  bool full() const { return size_ == capacity_; }

  // A freshly constructed object's slot, or kNone when full.
  uint32_t Allocate() {
    uint32_t slot = free_head_;
    if (slot != kNone) {
      free_head_ = entries_[slot].next_free;
    } else if (touched_ < capacity_) {
      slot = touched_++;
      new (&entries_[slot]) Entry();
    } else {
      return kNone;
    }
    Entry& entry = entries_[slot];
    entry.live = true;
    new (entry.storage) T();
    ++size_;
    return slot;
  }

  void Free(uint32_t slot) {
    Entry& entry = entries_[slot];
    assert(slot < touched_ && entry.live);
    entry.Object()->~T();
    entry.live = false;
    ++entry.generation;
    entry.next_free = free_head_;
    free_head_ = slot;
    --size_;
  }

  // The object in a live slot.
  T& operator[](uint32_t slot) {
    assert(slot < touched_ && entries_[slot].live);
    return *entries_[slot].Object();
  }

  // Of a slot that has ever been used, live or not.
  uint32_t generation(uint32_t slot) const { return entries_[slot].generation; }

  // The object, or nullptr when the slot was never used, is free, or is another generation's;
  // generations are compared under `mask` for callers that keep fewer than 32 bits.
  T* Find(uint32_t slot, uint32_t generation, uint32_t mask = ~0U) {
    if (slot >= touched_) return nullptr;
    Entry& entry = entries_[slot];
    if (!entry.live || ((entry.generation ^ generation) & mask) != 0) return nullptr;
    return entry.Object();
  }

  // Calls f(slot, object) for every live slot; f may free the slot it is given.
  template <class F>
  void ForEach(F f) {
    for (uint32_t slot = 0; slot < touched_; ++slot) {
      if (entries_[slot].live) f(slot, *entries_[slot].Object());
    }
  }

 private:
  struct Entry {
    T* Object() { return std::launder(reinterpret_cast<T*>(storage)); }

    alignas(T) std::byte storage[sizeof(T)];
    uint32_t generation = 0;
    uint32_t next_free = kNone;
    bool live = false;
  };

  size_t Bytes() const { return sizeof(Entry) * (capacity_ == 0 ? 1 : capacity_); }

  uint32_t capacity_;
  uint32_t size_ = 0;
  uint32_t touched_ = 0;
  uint32_t free_head_ = kNone;
  Entry* entries_ = nullptr;
};

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_SLOT_TABLE_H_
