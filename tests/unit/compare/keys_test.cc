#include "compare/keys.h"

#include <gtest/gtest.h>

#include "simulated.h"

namespace ringecho::compare {
namespace {

TEST(Keys, NameBothEnds) {
  Measurement one = Make({.engine = "epoll", .kernel = "6.5", .commit = "abc"});
  one.load->run.labels = {{"branch", "main"}, {"repeat", "3"}, {"order", "4"}, {"series", "s"}};
  const Keys keys = KeysOf(one);
  EXPECT_EQ(keys.Find("engine"), "epoll");
  EXPECT_EQ(keys.Find("loader_engine"), "io_uring");
  EXPECT_EQ(keys.Find("features"), "epoll");
  EXPECT_EQ(keys.Find("loader_features"),
            "defer_taskrun,receive=multishot,setup_flags=SINGLE_ISSUER");
  EXPECT_EQ(keys.Find("kernel"), "6.5");
  EXPECT_EQ(keys.Find("version"), "0.1.0 (abc)");
  EXPECT_EQ(keys.Find("connections"), "64");
  EXPECT_EQ(keys.Find("mode"), "closed");
  EXPECT_EQ(keys.Find("verify"), "true");
  EXPECT_EQ(keys.Find("cpus"), "0,2-3");
  EXPECT_EQ(keys.Find("server.threads"), "2");
  EXPECT_EQ(keys.Find("server.backlog"), "4096");
  EXPECT_EQ(keys.Find("host.environment.sysctls.net.core.somaxconn"), "4096");
  EXPECT_EQ(keys.Find("label.branch"), "main");
  EXPECT_EQ(keys.Find("no.such.key"), "");
  EXPECT_FALSE(keys.Has("no.such.key"));
  // How a series keeps its books is no difference, nor what nobody chose.
  for (const char* key :
       {"label.repeat", "label.order", "label.series", "server.connections", "source_addresses"}) {
    EXPECT_FALSE(keys.Has(key)) << key;
  }
}

TEST(Keys, AnotherMachineForTheLoadHasKeysOfItsOwn) {
  Measurement one = Make({});
  EXPECT_FALSE(KeysOf(one).Has("loader.host.fingerprint"));
  one.load->host.fingerprint = "1111111111111111";
  EXPECT_EQ(KeysOf(one).Find("loader.host.fingerprint"), "1111111111111111");
  EXPECT_EQ(KeysOf(one).Find("host.fingerprint"), "0123456789abcdef");
}

TEST(Keys, OnOneMachineTheLoadHasKeysOfWhatItHasOtherwise) {
  Measurement one = Make({});
  const auto of_load = [&one] {
    std::vector<std::string> found;
    for (const auto& [key, value] : KeysOf(one).environment) {
      if (key.starts_with("loader.host.")) found.push_back(key.substr(12) + "=" + value);
    }
    return found;
  };
  EXPECT_TRUE(of_load().empty());
  report::Environment& load = one.load->host.environment;
  load.cpu.governor = "powersave";
  load.limits.cgroup_cpus = 0.5;
  load.limits.nofile_soft = 77;
  load.sysctls[0].second = "128";
  load.sysctls.emplace_back("net.new", "1");
  load.clocksource.reset();
  EXPECT_EQ(of_load(),
            (std::vector<std::string>{
                "environment.clocksource=(none)", "environment.cpu.governor=powersave",
                "environment.limits.cgroup_cpus=0.5", "environment.limits.nofile_soft=77",
                "environment.sysctls.net.core.somaxconn=128", "environment.sysctls.net.new=1"}));
}

TEST(Keys, WithoutAServersResultTheLoadGeneratorsMachineCounts) {
  Measurement one = Make({.kernel = "6.5"});
  one.server.reset();
  EXPECT_EQ(KeysOf(one).Find("kernel"), "6.5");
  EXPECT_FALSE(KeysOf(one).Has("engine"));
}

TEST(Keys, HoldWhatFeaturesWereAskedFor) {
  Measurement one = Make({});
  one.load->run.argv = {"ringecho-load", "--features", "minimal", "-q"};
  EXPECT_EQ(KeysOf(one).Find("features_asked"), "best");
  EXPECT_EQ(KeysOf(one).Find("loader_features_asked"), "minimal");
  one.server->run.argv = {"ringecho-server", "--features=minimal", "--features=best,-sqpoll"};
  EXPECT_EQ(KeysOf(one).Find("features_asked"), "-sqpoll") << "best needs no naming";
  one.server->config.engine.name = "epoll";
  EXPECT_EQ(KeysOf(one).Find("features_asked"), "epoll");
  one.load->run.argv.clear();
  EXPECT_FALSE(KeysOf(one).Has("loader_features_asked"));
}

TEST(Keys, HowBatchesAreWaitedForIsNoFeatureOfItsOwn) {
  Measurement one = Make({});
  const std::string features = KeysOf(one).Find("features");
  one.server->config.engine.effective.emplace_back("min_wait", true);
  EXPECT_EQ(KeysOf(one).Find("features"), features);
  one.server->config.engine.requested.emplace_back("min_wait", true);
  EXPECT_NE(KeysOf(one).Find("features_requested").find("min_wait"), std::string::npos);
}

TEST(Keys, ASizeThatWasNotAskedForIsTheDefault) {
  Measurement one = Make({});
  one.load->config.extra.emplace_back("buffer_size_requested_bytes", int64_t{0});
  one.server->config.extra.emplace_back("buffer_size_requested_bytes", int64_t{8192});
  EXPECT_EQ(KeysOf(one).Find("buffer_size_requested_bytes"), "default");
  EXPECT_EQ(KeysOf(one).Find("server.buffer_size_requested_bytes"), "8192");
}

TEST(Follows, IsWhatAnotherValueBrings) {
  EXPECT_TRUE(Follows("kernel", "kernel"));
  EXPECT_TRUE(Follows("host.environment.cpu.mitigations.retbleed", "kernel"));
  EXPECT_TRUE(Follows("host.environment.sysctls.net.core.somaxconn", "kernel"));
  EXPECT_TRUE(Follows("host.environment.kernel_version", "kernel"));
  EXPECT_TRUE(Follows("host.environment.cpu.mitigations.x", "host.environment.kernel_cmdline"));
  EXPECT_TRUE(Follows("loader_features", "kernel"));
  EXPECT_FALSE(Follows("host.fingerprint", "kernel"));
  EXPECT_FALSE(Follows("host.environment.cpu.model", "kernel"));
  EXPECT_FALSE(Follows("version", "kernel"));
  EXPECT_FALSE(Follows("engine", "kernel"));
  EXPECT_TRUE(Follows("tool.compiler", "version"));
  EXPECT_TRUE(Follows("loader_version", "version"));
  EXPECT_FALSE(Follows("host.environment.sysctls.a", "version"));
  EXPECT_TRUE(Follows("server.buffers", "engine"));
  EXPECT_TRUE(Follows("features", "engine"));
  EXPECT_FALSE(Follows("loader_engine", "engine"));
  EXPECT_FALSE(Follows("server.backlog", "engine"));
  EXPECT_TRUE(Follows("engine", "features"));
  EXPECT_FALSE(Follows("features", "server.wait"));
  EXPECT_TRUE(Follows("threads", "connections"));
  EXPECT_FALSE(Follows("depth", "connections"));
  // What the server leaves is the load generator's.
  EXPECT_TRUE(Follows("server.cpus", "server.threads"));
  EXPECT_TRUE(Follows("threads", "server.threads"));
  EXPECT_TRUE(Follows("cpus", "server.threads"));
  EXPECT_TRUE(Follows("cpus", "server.cpus"));
  EXPECT_FALSE(Follows("threads", "server.cpus"));
  EXPECT_FALSE(Follows("server.cpus", "threads"));
}

TEST(Follows, WhatWasAskedForIsAChoice) {
  for (const char* vary : {"version", "kernel", "label.patch", "loader_version"}) {
    EXPECT_FALSE(Follows("features_asked", vary)) << vary;
    EXPECT_FALSE(Follows("loader_features_asked", vary)) << vary;
  }
  EXPECT_TRUE(Follows("features_requested", "version"));
  EXPECT_TRUE(Follows("features_asked", "engine"));
  EXPECT_TRUE(Follows("features_asked", "features"));
  EXPECT_TRUE(Follows("features", "features_asked"));
}

TEST(Follows, OfTheLoadGeneratorIsAsOfTheServer) {
  EXPECT_TRUE(Follows("loader.tool.compiler", "loader_version"));
  EXPECT_TRUE(Follows("loader_features", "loader_version"));
  EXPECT_TRUE(Follows("loader.host.environment.kernel_version", "loader_kernel"));
  EXPECT_TRUE(Follows("loader.host.environment.sysctls.a", "loader_kernel"));
  EXPECT_TRUE(Follows("buffers", "loader_engine"));
  EXPECT_TRUE(Follows("loader_features", "loader_engine"));
  EXPECT_TRUE(Follows("buffer_size_bytes", "loader_features"));
  EXPECT_FALSE(Follows("tool.compiler", "loader_version"));
  EXPECT_FALSE(Follows("host.environment.sysctls.a", "loader_kernel"));
  EXPECT_FALSE(Follows("loader.host.fingerprint", "loader_kernel"));
  EXPECT_FALSE(Follows("features", "loader_engine"));
  EXPECT_FALSE(Follows("server.buffers", "loader_engine"));
  EXPECT_TRUE(IsKernelKey("loader_kernel"));
  EXPECT_FALSE(IsLoaderKey("kernel"));
}

TEST(NaturalLess, PutsNumbersByValueBeforeWords) {
  EXPECT_TRUE(NaturalLess("2", "10"));
  EXPECT_TRUE(NaturalLess("10", "abc"));
  EXPECT_TRUE(NaturalLess("abc", "abd"));
  EXPECT_FALSE(NaturalLess("10", "2"));
  EXPECT_FALSE(NaturalLess("10", "10"));
}

}  // namespace
}  // namespace ringecho::compare
