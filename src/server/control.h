// What the main thread tells the handlers, and how a connection limit is laid out.
#ifndef RINGECHO_SERVER_CONTROL_H_
#define RINGECHO_SERVER_CONTROL_H_

#include <atomic>
#include <cstdint>

namespace ringecho::server {

enum class Order : uint8_t {
  kServe,
  kDrain,  // accept no more, let go of idle connections, end when none is left or time is up
  kAbort,  // end at once
};

// Written by the main thread, which then wakes the engines; read by handlers.
class Control {
 public:
  void Give(Order order) { order_.store(order, std::memory_order_release); }
  Order order() const { return order_.load(std::memory_order_acquire); }

 private:
  std::atomic<Order> order_{Order::kServe};
};

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_CONTROL_H_
