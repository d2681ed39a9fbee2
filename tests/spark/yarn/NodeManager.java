import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainerRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainersRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainersResponse;
import org.apache.hadoop.yarn.api.protocolrecords.StopContainersRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StopContainersResponse;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.ContainerState;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.NodeId;

/** Containers as processes, each in a folder of its own with the files that were asked for. */
public final class NodeManager {
    NodeId id;
    private final Path root;
    private final Map<ContainerId, Process> running = new ConcurrentHashMap<>();
    private final Queue<ContainerStatus> ended = new ConcurrentLinkedQueue<>();

    NodeManager(Path root) {
        this.root = root;
    }

    public StartContainersResponse startContainers(StartContainersRequest request) throws IOException {
        List<ContainerId> started = new ArrayList<>();
        for (StartContainerRequest wanted : request.getStartContainerRequests()) {
            var subject = StandardCharsets.UTF_8.decode(wanted.getContainerToken().getIdentifier().duplicate());
            ContainerId container = ContainerId.fromString(subject.toString());
            start(container, wanted.getContainerLaunchContext()).onExit().thenAccept(process ->
                ended.add(ContainerStatus.newInstance(container, ContainerState.COMPLETE, "", process.exitValue())));
            started.add(container);
        }
        return StartContainersResponse.newInstance(Map.of(), started, Map.of());
    }

    public StopContainersResponse stopContainers(StopContainersRequest request) {
        request.getContainerIds().forEach(this::kill);
        return StopContainersResponse.newInstance(request.getContainerIds(), Map.of());
    }

    /** The containers that ended since this was last asked. */
    List<ContainerStatus> ended() {
        List<ContainerStatus> statuses = new ArrayList<>();
        for (ContainerStatus status = ended.poll(); status != null; status = ended.poll()) {
            statuses.add(status);
        }
        return statuses;
    }

    Process start(ContainerId container, ContainerLaunchContext context) throws IOException {
        Path folder = Files.createDirectories(root.resolve(container.toString()));
        for (var resource : context.getLocalResources().entrySet()) {
            localize(resource.getValue(), folder.resolve(resource.getKey()));
        }
        Path script = Files.writeString(folder.resolve("launch.sh"), script(container, context, folder));
        Process process = new ProcessBuilder("bash", script.toString()).directory(folder.toFile())
            .redirectErrorStream(true).redirectOutput(folder.resolve("launch.log").toFile()).start();
        running.put(container, process);
        return process;
    }

    private static void localize(LocalResource resource, Path to) throws IOException {
        Path from = Path.of(resource.getResource().getFile());
        if (resource.getType() == LocalResourceType.ARCHIVE) {
            unzip(from, to);
        } else {
            Files.createSymbolicLink(to, from);
        }
    }

    private static void unzip(Path archive, Path to) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(archive))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                Path file = to.resolve(entry.getName());
                Files.createDirectories(entry.isDirectory() ? file : file.getParent());
                if (!entry.isDirectory()) {
                    Files.copy(zip, file);
                }
            }
        }
    }

    /** The environment that YARN promises, the one that was asked for, and the command. */
    private String script(ContainerId container, ContainerLaunchContext context, Path folder) {
        Map<String, String> promised = new TreeMap<>(Map.of(
            "PWD", folder.toString(), "CONTAINER_ID", container.toString(), "NM_HOST", id.getHost(),
            "NM_PORT", String.valueOf(id.getPort()), "NM_HTTP_PORT", "0", "LOCAL_DIRS", folder.toString(),
            "LOG_DIRS", folder.toString(), "USER", System.getProperty("user.name"),
            "JAVA_HOME", System.getProperty("java.home"), "HOME", System.getProperty("user.home")));
        StringBuilder script = new StringBuilder();
        promised.forEach((name, value) -> script.append(export(name, value, folder)));
        // In whatever order they come, a value may mention a variable that is set here before it.
        context.getEnvironment().forEach((name, value) -> script.append(export(name, value, folder)));
        return script.append(expanded(String.join(" ", context.getCommands()), folder)).append('\n').toString();
    }

    private static String export(String name, String value, Path folder) {
        return "export " + name + "=\"" + expanded(value, folder).replace("\"", "\\\"") + "\"\n";
    }

    /** YARN's notation for what only the node knows. */
    private static String expanded(String text, Path folder) {
        return text.replace("<LOG_DIR>", folder.toString()).replace("<CPS>", ":")
            .replaceAll("\\{\\{(\\w+)\\}\\}", "\\${$1}");
    }

    void kill(ContainerId container) {
        Process process = running.get(container);
        if (process != null) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    void killAll() {
        running.keySet().forEach(this::kill);
    }
}
