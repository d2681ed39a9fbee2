import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.yarn.api.ApplicationClientProtocol;
import org.apache.hadoop.yarn.api.ApplicationMasterProtocol;
import org.apache.hadoop.yarn.api.ContainerManagementProtocol;
import org.apache.hadoop.yarn.api.records.NodeId;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.apache.hadoop.yarn.ipc.YarnRPC;

/**
 * A stand-in for YARN, where none can be had: enough of a resource manager and a node manager for Spark's own YARN
 * client, application master and executors, which talk to it by YARN's own RPC. Containers are processes of this
 * machine. One application for each run; no queues, security, memory limits or preemption.
 *
 * <p>Usage: StandInYarn FOLDER CLIENT_PORT SCHEDULER_PORT. Ends when its standard input does.
 */
public final class StandInYarn {
    static final String HOST = "127.0.0.1";

    public static void main(String[] arguments) throws Exception {
        NodeManager node = new NodeManager(Path.of(arguments[0]));
        Runtime.getRuntime().addShutdownHook(new Thread(node::killAll));
        ResourceManager resources = new ResourceManager(node);
        node.id = NodeId.newInstance(HOST, serve(ContainerManagementProtocol.class, node, 0));
        serve(ApplicationClientProtocol.class, resources, Integer.parseInt(arguments[1]));
        serve(ApplicationMasterProtocol.class, resources, Integer.parseInt(arguments[2]));
        System.out.println("ready");
        while (System.in.read() >= 0) {
            // Whoever started this keeps the pipe open.
        }
        System.exit(0);
    }

    /** Answers the calls of a protocol by the handler's methods of the same name. Returns the port. */
    private static int serve(Class<?> protocol, Object handler, int port) {
        Object calls = Proxy.newProxyInstance(StandInYarn.class.getClassLoader(), new Class<?>[] {protocol},
            (proxy, method, arguments) -> {
                try {
                    return handler.getClass().getMethod(method.getName(), method.getParameterTypes())
                        .invoke(handler, arguments);
                } catch (NoSuchMethodException e) {
                    throw new YarnException("the stand-in has no " + method.getName());
                } catch (InvocationTargetException e) {
                    e.getCause().printStackTrace();
                    throw e.getCause();
                }
            });
        Configuration configuration = new YarnConfiguration();
        Server server = YarnRPC.create(configuration)
            .getServer(protocol, calls, new InetSocketAddress(HOST, port), configuration, null, 4);
        server.start();
        return server.getListenerAddress().getPort();
    }
}
